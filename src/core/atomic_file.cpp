#include "edgeloop/core/atomic_file.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

IoError system_error(const std::string& what, const std::string& path) {
    const int code = errno;
    return IoError(fmt::format("cannot {} '{}'", what, path), std::strerror(code),
                   code == ENOSPC ? "free some space and run again" : "");
}

void write_whole(int descriptor, std::string_view bytes, const std::string& path) {
    if (!write_all(descriptor, bytes)) throw system_error("write", path);
}

/// Creates a file beside `path` of a name that nobody can have guessed, to put a file or a link
/// there first. @param name  gets it.
Descriptor create_beside(const std::string& path, Access access, std::string& name) {
    std::random_device random;
    name = fmt::format("{}.tmp{:08x}{:08x}", path, random(), random());
    Descriptor file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           file_mode(access)));
    if (file.get() < 0) throw system_error("create", name);
    // The umask may have taken more than it should; a file system without modes has none to give.
    if (access != Access::as_usual) (void)::fchmod(file.get(), file_mode(access));
    return file;
}

Descriptor open_for_appending(const std::string& path, Access access) {
    if (access != Access::as_usual)
        return open_own_file(path, O_WRONLY | O_CREAT | O_APPEND, access);
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (file.get() < 0) throw system_error("open for appending", path);
    return file;
}

}  // namespace

std::string read_file(const std::string& path, std::uint64_t limit_bytes) {
    const Descriptor file = open_regular_file(path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) throw system_error("examine", path);
    if (static_cast<std::uint64_t>(info.st_size) > limit_bytes)
        throw ConfigError(fmt::format("'{}' has {} bytes", path, info.st_size),
                          fmt::format("at most {} are read", limit_bytes));
    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(info.st_size));
    if (!read_all(file.get(), bytes, limit_bytes)) throw system_error("read", path);
    if (bytes.size() > limit_bytes)
        throw ConfigError(fmt::format("'{}' is larger than {} bytes", path, limit_bytes));
    return bytes;
}

void write_file_atomic(const std::string& given, std::string_view bytes, Durability durability,
                       Access access) {
    const bool follow = access == Access::as_usual;
    // Of what a link points at, or of the link itself, which is replaced then.
    const fs::file_status status = follow ? fs::status(given) : fs::symlink_status(given);
    if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_symlink(status))
        throw ConfigError(fmt::format("'{}' is not a regular file", given),
                          "it would be replaced by one", "name another file");
    const std::string path = follow && fs::exists(status) && fs::is_symlink(given)
                                 ? fs::canonical(given).string()
                                 : given;
    std::string temporary;
    const Descriptor file = create_beside(path, access, temporary);
    try {
        write_whole(file.get(), bytes, temporary);
        if (durability == Durability::power_cut && !sync_descriptor(file.get()))
            throw system_error("sync", temporary);
        if (::rename(temporary.c_str(), path.c_str()) != 0) throw system_error("replace", path);
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    if (durability == Durability::power_cut) sync_folder_of(path);
}

AppendFile::AppendFile(const std::string& path, Access access)
    : path_(path), descriptor_(open_for_appending(path, access)) {}

void AppendFile::append(std::string_view bytes) { write_whole(descriptor_.get(), bytes, path_); }

void AppendFile::sync() {
    if (::fdatasync(descriptor_.get()) != 0 && !is_sync_unsupported(errno))
        throw system_error("sync", path_);
}

void make_directories(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error)
        throw IoError(fmt::format("cannot create the folder '{}'", path), error.message(),
                      "check the path and its permissions");
}

}  // namespace edgeloop
