#include "data/file_stamp.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t pieces = 64, piece_bytes = 64 << 10;

[[noreturn]] void cannot(const char* what, const std::string& path) {
    const int code = errno;
    throw IoError(fmt::format("cannot {} '{}'", what, path), std::strerror(code));
}

/// Appends up to `count` bytes from `offset` on; fewer at the end of the file.
void append_piece(std::string& text, int descriptor, std::uint64_t offset, std::uint64_t count,
                  const std::string& path) {
    const std::size_t before = text.size();
    text.resize(before + count);
    std::size_t done = 0;
    while (done < count) {
        const ssize_t got = ::pread(descriptor, text.data() + before + done, count - done,
                                    static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) cannot("read", path);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    text.resize(before + done);
}

}  // namespace

FileStamp stamp_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) cannot("examine", path);
    return {static_cast<std::uint64_t>(info.st_size),
            std::int64_t(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec};
}

std::string sampled_digest(const std::string& path) {
    const std::uint64_t bytes = stamp_of(path).bytes;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) cannot("open", path);
    std::string text = fmt::format("{} ", bytes);
    if (bytes <= pieces * piece_bytes) {
        append_piece(text, file.get(), 0, bytes, path);
    } else {
        const std::uint64_t last = bytes - piece_bytes;
        for (std::uint64_t piece = 0; piece < pieces; ++piece)
            append_piece(text, file.get(), last * piece / (pieces - 1), piece_bytes, path);
    }
    return digest(text).hex();
}

}  // namespace edgeloop
