#include "edgeloop/core/shipped.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <filesystem>

#include <fmt/format.h>

namespace edgeloop {

TextFile read_shipped_or_file(const std::string& path_or_name, const std::string& kind,
                              const std::vector<ShippedFile>& shipped) {
    constexpr std::uint64_t max_bytes = 16u << 20;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path_or_name, ignored))
        return {path_or_name, read_file(path_or_name, max_bytes)};
    std::string names;
    for (const ShippedFile& file : shipped) {
        if (path_or_name == file.name) return {path_or_name, file.text};
        names += std::string(names.empty() ? "" : ", ") + file.name;
    }
    throw ConfigError(fmt::format("there is no {} '{}'", kind, path_or_name), {},
                      fmt::format("give the path of a JSON file or one of: {}", names));
}

}  // namespace edgeloop
