#include "edgeloop/core/temporary_folder.hpp"

#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop {

std::string TemporaryFolder::system() {
    const char* const given = std::getenv("TMPDIR");
    return given != nullptr && *given != '\0' ? given : "/tmp";
}

TemporaryFolder::TemporaryFolder(const std::string& parent, mode_t mode)
    : path_(fmt::format("{}/{}", parent.empty() ? system() : parent, pattern)) {
    const bool is_made = ::mkdtemp(path_.data()) != nullptr;
    if (is_made && (mode == 0700 || ::chmod(path_.c_str(), mode) == 0)) return;
    const std::string why = std::strerror(errno);
    if (is_made) ::rmdir(path_.c_str());
    throw IoError(fmt::format("cannot make the folder '{}'", path_), why,
                  parent.empty() ? "set TMPDIR to a folder that can be written to" : "");
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace edgeloop
