#pragma once

#include <string>

namespace edgeloop {

/// Whether the error `code` of fsync(2) says that the file system cannot do that (EINVAL, ENOTSUP,
/// ENOSYS), as several network and FUSE file systems say for folders: there is nothing to wait for.
[[nodiscard]] bool is_sync_unsupported(int code);

/// Waits until what was written to a file or folder is on the disk: fsync(2).
/// @return false when that failed, errno says why; true also when the file system cannot do that.
[[nodiscard]] bool sync_descriptor(int descriptor);

/// Waits until a new name in the folder of `path` is on the disk, where the file system can do that
/// and the folder may be opened. @throws IoError.
void sync_folder_of(const std::string& path);

}  // namespace edgeloop
