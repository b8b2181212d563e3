#include "edgeloop/core/descriptor.hpp"

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

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

bool read_all(int descriptor, std::string& bytes, std::uint64_t limit) {
    char buffer[1 << 16];
    while (bytes.size() <= limit) {
        const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
        if (got == 0) break;
        if (got > 0)
            bytes.append(buffer, static_cast<std::size_t>(got));
        else if (errno != EINTR)
            return false;
    }
    return true;
}

bool is_sync_unsupported(int code) {
    static_assert(ENOTSUP == EOPNOTSUPP);
    return code == EINVAL || code == ENOTSUP || code == ENOSYS;
}

bool sync_descriptor(int descriptor) {
    return ::fsync(descriptor) == 0 || is_sync_unsupported(errno);
}

void sync_folder_of(const std::string& path) {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    const Descriptor folder(
        ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0 && errno == EACCES) return;  // may be written, but not read
    if (folder.get() < 0 || !sync_descriptor(folder.get()))
        throw IoError(fmt::format("cannot sync the folder of '{}'", path), std::strerror(errno));
}

namespace {

bool is_file_at(int descriptor, const std::string& path) {
    struct stat opened {
    }, there{};
    return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &there) == 0 &&
           opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

}  // namespace

Descriptor lock_file(const std::string& path) {
    constexpr int tries = 100;
    Descriptor file;
    // Who held it may have removed it between the opening and the locking.
    for (int i = 0; i < tries && (file.get() < 0 || !is_file_at(file.get(), path)); ++i) {
        file = open_own_file(path, O_RDWR | O_CREAT, Access::owner);
        if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) continue;
        if (errno == EWOULDBLOCK) return {};
        log::warning("'{}' cannot be locked: {}; make sure that no other process uses it", path,
                     std::strerror(errno));
        break;
    }
    return file;
}

}  // namespace edgeloop
