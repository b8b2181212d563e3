#include "edgeloop/data/output_file.hpp"

#include "edgeloop/core/error.hpp"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {

void check_output_file(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code failed;
    const fs::file_status status = fs::status(path, failed);
    if (fs::exists(status) && !fs::is_regular_file(status))
        throw ConfigError(fmt::format("the output '{}' is not a regular file", path), {},
                          "name a file");
    fs::path folder = fs::path(path).parent_path();
    if (folder.empty()) folder = ".";
    if (!fs::is_directory(folder, failed))
        throw ConfigError(fmt::format("the output '{}' is in a folder that does not exist", path),
                          {}, fmt::format("create the folder '{}'", folder.string()));
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        throw ConfigError(fmt::format("the output '{}' cannot be written", path),
                          "its folder may not be written", "choose another folder");
}

}  // namespace edgeloop
