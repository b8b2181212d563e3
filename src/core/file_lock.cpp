#include "edgeloop/core/file_lock.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>

namespace edgeloop {

Descriptor lock_file(const std::string& path) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) throw IoError("cannot open '" + path + "'", std::strerror(errno));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    if (errno == EWOULDBLOCK) return {};
    log::warning("'{}' cannot be locked: {}; make sure that no other process uses it", path,
                 std::strerror(errno));
    return file;
}

}  // namespace edgeloop
