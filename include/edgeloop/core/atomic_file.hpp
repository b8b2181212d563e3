#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/descriptor.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace edgeloop {

/// Whole file as bytes. @throws IoError when it cannot be read, ConfigError when it does not exist,
/// is no regular file (open_regular_file) or is larger than `limit_bytes`.
[[nodiscard]] std::string read_file(const std::string& path,
                                    std::uint64_t limit_bytes = 1ull << 32);

/// Whether a write must survive a power cut (fsync of file and folder) or only a crash of the
/// process.
enum class Durability { process_crash, power_cut };

/// Replaces `path` by `bytes` so that a reader sees the old or the new content, never a mixture:
/// new file in the same folder, of a name that nobody can guess, (fsync,) rename, (fsync of the
/// folder). A symbolic link stays one, and what it points at is replaced; with Access::owner and
/// Access::group the link itself is replaced.
/// @throws IoError  the old content is still there then; ConfigError: `path` is a folder or device.
void write_file_atomic(const std::string& path, std::string_view bytes,
                       Durability durability = Durability::power_cut,
                       Access access = Access::as_usual);

/// Append-only file; each append() is one write(2), so a kill leaves at most one torn line at the
/// end.
class AppendFile {
  public:
    /// Opens or creates `path`. @throws IoError; ConfigError  access is not as usual, and it is a
    /// link or no regular file.
    explicit AppendFile(const std::string& path, Access access = Access::as_usual);

    /// @throws IoError  e.g. disk full.
    void append(std::string_view bytes);
    /// Waits until everything appended is on the disk.
    void sync();

  private:
    std::string path_;
    Descriptor descriptor_;
};

/// Creates a folder and its parents. @throws IoError.
void make_directories(const std::string& path);

}  // namespace edgeloop
