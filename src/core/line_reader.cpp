#include "edgeloop/core/line_reader.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <zlib.h>

namespace edgeloop {
namespace {

constexpr std::size_t block_bytes = 1 << 20;
/// A few bytes of gzip can become a line without an end.
constexpr std::size_t max_line = std::size_t(64) << 20;

gzFile as_gz(void* file) { return static_cast<gzFile>(file); }

std::string system_message() { return errno != 0 ? std::strerror(errno) : ""; }

}  // namespace

void LineReader::Close::operator()(void* file) const { (void)gzclose_r(as_gz(file)); }

LineReader::LineReader(std::string path) : path_(std::move(path)) {
    const Descriptor file = open_regular_file(path_);
    errno = 0;
    const int descriptor = ::fcntl(file.get(), F_DUPFD_CLOEXEC, 0);  // zlib closes its own
    if (descriptor >= 0) file_.reset(gzdopen(descriptor, "rb"));
    if (descriptor >= 0 && file_ == nullptr) ::close(descriptor);
    if (file_ == nullptr)
        throw ConfigError(fmt::format("'{}' cannot be opened", path_), system_message());
    (void)gzbuffer(as_gz(file_.get()), block_bytes / 4);
}

/// Appends to the buffer. @return false at the end of the file.
bool LineReader::read_block() {
    buffer_.erase(0, std::exchange(begin_, 0));
    const std::size_t before = buffer_.size();
    buffer_.resize(before + block_bytes);
    errno = 0;
    const int got = gzread(as_gz(file_.get()), &buffer_[before], block_bytes);
    buffer_.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < static_cast<int>(block_bytes)) {
        int code = Z_OK;
        const char* what = gzerror(as_gz(file_.get()), &code);
        if (code == Z_ERRNO)
            throw ConfigError(fmt::format("'{}' cannot be read", path_), system_message());
        // The text begins with the path when zlib found it.
        if (code != Z_OK && code != Z_STREAM_END)
            throw ConfigError(fmt::format("'{}' is damaged or cut off", path_), what,
                              "get the file again");
    }
    if (got <= 0) return false;
    const std::string_view block = std::string_view(buffer_).substr(before);
    digest_ = edgeloop::digest(digest_.hex() + edgeloop::digest(block).hex());
    return true;
}

std::optional<std::string_view> LineReader::next() {
    std::size_t end = buffer_.find('\n', begin_);
    while (end == std::string::npos && !ended_) {
        const std::size_t searched = buffer_.size() - begin_;
        if (searched > max_line)
            throw ConfigError(fmt::format("'{}', line {}: longer than {} MiB", path_, number_ + 1,
                                          max_line >> 20));
        ended_ = !read_block();
        end = buffer_.find('\n', searched);
    }
    if (end == std::string::npos && begin_ == buffer_.size()) return std::nullopt;
    const std::size_t last = end == std::string::npos ? buffer_.size() : end;
    std::string_view line = std::string_view(buffer_).substr(begin_, last - begin_);
    begin_ = end == std::string::npos ? last : end + 1;
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (number_++ == 0 && line.substr(0, byte_order_mark.size()) == byte_order_mark)
        line.remove_prefix(byte_order_mark.size());
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

}  // namespace edgeloop
