#include "edgeloop/core/regular_file.hpp"

#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace edgeloop {
namespace {

[[noreturn]] void cannot(const char* what, const std::string& path) {
    const int code = errno;
    if (code == ENOENT || code == ENOTDIR)
        throw ConfigError(fmt::format("'{}' does not exist", path), {}, "check the path");
    throw IoError(fmt::format("cannot {} '{}'", what, path), std::strerror(code),
                  code == EACCES ? "grant read permission" : "");
}

void require_regular(const struct stat& info, const std::string& path) {
    if (S_ISREG(info.st_mode)) return;
    if (S_ISDIR(info.st_mode))
        throw ConfigError(fmt::format("'{}' is a directory", path), {}, "name a file");
    throw ConfigError(fmt::format("'{}' is not a regular file", path),
                      S_ISLNK(info.st_mode) ? "it is a link, which is not followed here"
                                            : "pipes, devices and sockets are not read",
                      "name another file");
}

}  // namespace

void require_regular_file(const std::string& path, Links links) {
    struct stat info {};
    const int failed =
        links == Links::follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info);
    if (failed != 0) cannot("examine", path);
    require_regular(info, path);
}

Descriptor open_regular_file(const std::string& path, Links links) {
    require_regular_file(path, links);
    // Between the look and the opening it may have become something else: that is not waited for.
    const int no_links = links == Links::refuse ? O_NOFOLLOW : 0;
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | no_links));
    if (file.get() < 0) cannot("open", path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) cannot("examine", path);
    require_regular(info, path);
    return file;
}

}  // namespace edgeloop
