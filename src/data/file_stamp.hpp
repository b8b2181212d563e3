#pragma once

#include <cstdint>
#include <string>

namespace edgeloop {

/// What tells cheaply whether a file changed since it was looked at.
struct FileStamp {
    std::uint64_t bytes = 0;
    std::int64_t modified_ns = 0;  ///< time of the last change, since 1970

    friend bool operator!=(const FileStamp& a, const FileStamp& b) {
        return a.bytes != b.bytes || a.modified_ns != b.modified_ns;
    }
};

/// @throws IoError  it cannot be examined.
[[nodiscard]] FileStamp stamp_of(const std::string& path);

/// Digest of a file's content that does not read all of a large one: of 64 pieces of 64 KiB, spread
/// evenly from its first byte to its last, and of its size. Files up to 4 MiB are read whole. Two
/// files that differ only between the pieces have the same. @throws IoError.
[[nodiscard]] std::string sampled_digest(const std::string& path);

}  // namespace edgeloop
