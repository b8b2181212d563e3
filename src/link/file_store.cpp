#include "edgeloop/link/file_store.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

constexpr const char* part_suffix = ".part";

/// -1: it is not there.
std::int64_t size_of(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : -1;
}

}  // namespace

FileStore::FileStore(std::string folder, Access access)
    : folder_(std::move(folder)), access_(access) {
    make_inner_folder(folder_, access_);
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder_))
        if (entry.path().extension() == part_suffix) fs::remove(entry.path(), ignored);
}

std::string FileStore::path_of(const FileName& file) const {
    return fmt::format("{}/{}-{}", folder_, file.digest.hex(), file.bytes);
}

std::string FileStore::part_of(const FileName& file, std::uint64_t who) const {
    return fmt::format("{}.{}{}", path_of(file), who, part_suffix);
}

bool FileStore::has(const FileName& file) const {
    return size_of(path_of(file)) == static_cast<std::int64_t>(file.bytes);
}

std::uint64_t FileStore::received(const FileName& file, std::uint64_t who) const {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, size_of(part_of(file, who))));
}

FileStore::Added FileStore::append(const FileName& file, std::uint64_t who, std::uint64_t offset,
                                   std::string_view bytes) {
    const std::uint64_t before = received(file, who);
    if (offset != before) return Added::piece;
    if (bytes.size() > file.bytes - before) {
        give_up(file, who);
        return Added::damaged;
    }
    const std::string part = part_of(file, who);
    const Descriptor out = open_own_file(part, O_WRONLY | O_CREAT | O_APPEND, access_);
    const bool is_whole = before + bytes.size() == file.bytes;
    if (!write_all(out.get(), bytes) || (is_whole && ::fsync(out.get()) != 0)) {
        const int code = errno;
        give_up(file, who);
        throw IoError(fmt::format("cannot write '{}'", part), std::strerror(code));
    }
    if (!is_whole) return Added::piece;
    if (digest(read_file(part, file.bytes)) != file.digest) {
        give_up(file, who);
        return Added::damaged;
    }
    if (::rename(part.c_str(), path_of(file).c_str()) != 0)
        throw IoError(fmt::format("cannot rename '{}'", part), std::strerror(errno));
    sync_folder_of(path_of(file));
    return Added::whole;
}

void FileStore::give_up(const FileName& file, std::uint64_t who) {
    ::unlink(part_of(file, who).c_str());
}

std::string FileStore::read(const FileName& file, std::uint64_t offset, std::size_t size) const {
    const std::string path = path_of(file);
    const Descriptor in = open_regular_file(path, Links::refuse);
    std::string bytes(size, '\0');
    ssize_t got = 0;
    do got = ::pread(in.get(), bytes.data(), size, static_cast<off_t>(offset));
    while (got < 0 && errno == EINTR);
    if (got < 0) throw IoError(fmt::format("cannot read '{}'", path), std::strerror(errno));
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
}

void FileStore::remove(const FileName& file) { ::unlink(path_of(file).c_str()); }

void FileStore::keep_only(const std::function<bool(const FileName&)>& wanted) {
    std::vector<fs::path> over;
    for (const auto& entry : fs::directory_iterator(folder_)) {
        const std::string name = entry.path().filename();
        const std::size_t dash = std::min(name.find('-'), name.size());
        try {
            const auto bytes =
                dash < name.size() ? number_in<std::uint64_t>(name.substr(dash + 1)) : std::nullopt;
            if (bytes &&
                wanted(FileName::from_json({{"digest", name.substr(0, dash)}, {"bytes", *bytes}})))
                continue;
        } catch (const ConfigError&) {  // a name that we did not give
        }
        if (name.find(part_suffix) == std::string::npos) over.push_back(entry.path());
    }
    std::error_code ignored;
    for (const fs::path& path : over) fs::remove(path, ignored);
}

}  // namespace edgeloop
