#include "edgeloop/core/descriptor.hpp"

#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>

namespace edgeloop {

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw IoError("cannot make a pipe", std::strerror(errno));
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

bool write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace edgeloop
