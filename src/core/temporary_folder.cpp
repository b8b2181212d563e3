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

TemporaryFolder::TemporaryFolder(const std::string& parent, mode_t mode) {
    const char* const given = std::getenv("TMPDIR");
    const std::string system = given != nullptr ? given : "/tmp";
    std::string path = (parent.empty() ? system : parent) + "/edgeloop-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr || ::chmod(path.c_str(), mode) != 0)
        throw IoError(fmt::format("cannot make the folder '{}'", path), std::strerror(errno),
                      "set TMPDIR to a folder that can be written to");
    path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace edgeloop
