#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace edgeloop {

/// Owns a file descriptor, or none (negative).
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    [[nodiscard]] int get() const { return value_; }
    void close() {
        if (value_ >= 0) ::close(value_);
        value_ = -1;
    }

  private:
    int value_ = -1;
};

/// Both ends close on exec.
struct Pipe {
    Descriptor read, write;
};
/// @throws IoError
[[nodiscard]] Pipe make_pipe();

/// Writes all of it, whatever interrupts. @return false when that failed, errno says why.
[[nodiscard]] bool write_all(int descriptor, std::string_view bytes);

/// Adds all that can be read to `bytes`, until its end or until there are more than `limit` in all.
/// @return false when that failed, errno says why.
[[nodiscard]] bool read_all(int descriptor, std::string& bytes,
                            std::uint64_t limit = ~std::uint64_t{0});

/// Whether the error `code` of fsync(2) says that the file system cannot do that (EINVAL, ENOTSUP,
/// ENOSYS), as several network and FUSE file systems say for folders: there is nothing to wait for.
[[nodiscard]] bool is_sync_unsupported(int code);

/// Waits until what was written to a file or folder is on the disk: fsync(2).
/// @return false when that failed, errno says why; true also when the file system cannot do that.
[[nodiscard]] bool sync_descriptor(int descriptor);

/// Waits until a new name in the folder of `path` is on the disk, where the file system can do that
/// and the folder may be opened. @throws IoError.
void sync_folder_of(const std::string& path);

/// Opens or creates `path` and keeps other processes from locking it, until the descriptor is
/// destroyed or the process dies. A file system that cannot lock is warned of, not refused. Who
/// holds it may remove the file.
///
/// @return none (negative) when another process holds it.
/// @throws IoError  the file cannot be opened; ConfigError  it is a link or no regular file.
[[nodiscard]] Descriptor lock_file(const std::string& path);

}  // namespace edgeloop
