#include "edgeloop/core/sync.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {

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

}  // namespace edgeloop
