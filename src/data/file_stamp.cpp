#include "data/file_stamp.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <cerrno>
#include <cstring>

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

}  // namespace

FileStamp stamp_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) cannot("examine", path);
    return {static_cast<std::uint64_t>(info.st_size),
            std::int64_t(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec};
}

std::string sampled_digest(const std::string& path) {
    const std::uint64_t bytes = stamp_of(path).bytes;
    const Descriptor file = open_regular_file(path);
    std::string text = fmt::format("{} ", bytes);
    // Fewer bytes at the end of the file.
    const auto append = [&](std::uint64_t offset, std::uint64_t count) {
        const std::size_t before = text.size();
        text.resize(before + count);
        std::size_t done = 0;
        while (done < count) {
            const ssize_t got = ::pread(file.get(), text.data() + before + done, count - done,
                                        static_cast<off_t>(offset + done));
            if (got < 0 && errno != EINTR) cannot("read", path);
            if (got == 0) break;
            done += got > 0 ? static_cast<std::size_t>(got) : 0;
        }
        text.resize(before + done);
    };
    if (bytes <= pieces * piece_bytes) {
        append(0, bytes);
    } else {
        const std::uint64_t last = bytes - piece_bytes;
        for (std::uint64_t piece = 0; piece < pieces; ++piece)
            append(last * piece / (pieces - 1), piece_bytes);
    }
    return digest(text).hex();
}

}  // namespace edgeloop
