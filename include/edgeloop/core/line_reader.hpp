#pragma once

#include "edgeloop/core/hash.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace edgeloop {

/// The lines of a text file, one after the other. The file is plain or compressed by gzip; its
/// first bytes tell. Only the line at hand is in memory.
class LineReader {
  public:
    /// @throws ConfigError, IoError  as open_regular_file().
    explicit LineReader(std::string path);

    /// The next line without its end (LF or CR LF), valid until the next call; nothing at the end.
    /// A byte order mark at the start of the file is left out.
    /// @throws ConfigError  it cannot be read, compressed data is damaged or cut off, or the line
    /// is longer than 64 MiB.
    [[nodiscard]] std::optional<std::string_view> next();
    /// Number of the line given last, from 1; 0: none yet.
    [[nodiscard]] std::size_t number() const { return number_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    /// Of all text so far, decompressed: of the file, once next() gave nothing.
    [[nodiscard]] const Digest& digest() const { return digest_; }

  private:
    [[nodiscard]] bool read_block();

    struct Close {
        void operator()(void* file) const;
    };

    std::string path_;
    std::unique_ptr<void, Close> file_;  ///< a gzFile: users of this header need no zlib
    std::string buffer_;
    std::size_t begin_ = 0;  ///< of the next line in the buffer
    bool ended_ = false;     ///< all of the file is in the buffer
    std::size_t number_ = 0;
    Digest digest_;
};

}  // namespace edgeloop
