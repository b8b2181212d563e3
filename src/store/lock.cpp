#include "store/lock.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace edgeloop {

DirectoryLock::DirectoryLock(const std::string& folder) {
    const std::string path = folder + "/.lock";
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0)
        throw IoError(fmt::format("cannot create '{}'", path), std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    const int code = errno;
    if (code != EWOULDBLOCK) {
        log::warning("'{}' cannot be locked: {}; make sure that no other run uses the folder", path,
                     std::strerror(code));
        return;
    }
    ::close(descriptor_);
    throw ConfigError(fmt::format("'{}' is in use by another process", folder),
                      "two searches would spoil each other's files",
                      "wait for the other one or choose another --run-dir");
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace edgeloop
