#include "edgeloop/core/access.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr mode_t group_enters = S_IRGRP | S_IXGRP;

/// Some file systems have no modes; then there is nothing to be had.
void set_mode(int descriptor, mode_t mode) {
    struct stat info {};
    if (::fstat(descriptor, &info) == 0 && (info.st_mode & 07777) != mode)
        (void)::fchmod(descriptor, mode);
}

Descriptor open_folder(const std::string& path, int links) {
    return Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | links));
}

[[noreturn]] void cannot_make(const std::string& path) {
    throw IoError(fmt::format("cannot create the folder '{}'", path), std::strerror(errno),
                  "check the path and its permissions");
}

std::string without_slashes_at_end(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

/// @return false when something of this name was there. @throws IoError.
bool make_folder(const std::string& path, mode_t mode) {
    if (const auto parent = std::filesystem::path(path).parent_path(); !parent.empty())
        make_directories(parent.string());
    if (::mkdir(path.c_str(), mode) != 0) {
        if (errno == EEXIST) return false;
        cannot_make(path);
    }
    const Descriptor made = open_folder(path, O_NOFOLLOW);
    if (made.get() >= 0) set_mode(made.get(), mode);
    return true;
}

/// @return what is at the path, which must be a folder. @throws IoError.
struct stat examined_folder(const std::string& path, int (*look)(const char*, struct stat*)) {
    struct stat info {};
    if (look(path.c_str(), &info) != 0)
        throw IoError(fmt::format("cannot examine '{}'", path), std::strerror(errno));
    if (!S_ISDIR(info.st_mode) && !S_ISLNK(info.st_mode))
        throw IoError(fmt::format("'{}' is not a folder", path), {}, "choose another name");
    return info;
}

/// Lets the group into a folder that was there before somebody asked for that.
void let_group_in(const std::string& path, const struct stat& info) {
    if ((info.st_mode & group_enters) == group_enters) return;
    const Descriptor folder = open_folder(path, 0);
    if (folder.get() >= 0) set_mode(folder.get(), (info.st_mode & 07777) | group_enters);
}

bool is_ours(const std::string& path, bool follow_links) {
    struct stat info {};
    const int failed = follow_links ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info);
    return failed == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() &&
           (info.st_mode & S_IWOTH) == 0;
}

/// From the system's list of users: what HOME says differs between a login, su and cron.
std::string home_of_user() {
    std::vector<char> texts(1 << 14);
    struct passwd user {
    }, *found = nullptr;
    const int failed = ::getpwuid_r(::geteuid(), &user, texts.data(), texts.size(), &found);
    return failed == 0 && found != nullptr && user.pw_dir != nullptr ? user.pw_dir : "";
}

}  // namespace

mode_t file_mode(Access access) {
    return access == Access::as_usual ? 0644 : access == Access::owner ? 0600 : 0640;
}

mode_t folder_mode(Access access) {
    return access == Access::as_usual ? 0755 : access == Access::owner ? 0700 : 0750;
}

Descriptor open_own_file(const std::string& path, int flags, Access access) {
    constexpr int carefully = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    Descriptor file(::open(path.c_str(), flags | carefully, file_mode(access)));
    if (file.get() < 0 && errno == ELOOP)
        throw ConfigError(fmt::format("'{}' is a link", path),
                          "what it leads to would be written to", "remove the link");
    struct stat info {};
    if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
        throw IoError(fmt::format("cannot open '{}'", path), std::strerror(errno));
    if (!S_ISREG(info.st_mode))
        throw ConfigError(fmt::format("'{}' is not a regular file", path), {}, "remove it");
    set_mode(file.get(), file_mode(access));
    return file;
}

void make_own_folder(const std::string& given, Access access) {
    const std::string path = without_slashes_at_end(given);
    if (make_folder(path, folder_mode(access))) return;
    const struct stat info = examined_folder(path, ::stat);
    const uid_t self = ::geteuid();
    if (self != 0 && info.st_uid != self && info.st_uid != 0)
        throw ConfigError(
            fmt::format("'{}' belongs to another user (number {})", path, info.st_uid),
            "its owner could replace what is written there", "choose a folder of your own");
    if ((info.st_mode & S_IWOTH) != 0)
        throw ConfigError(fmt::format("everybody may write to '{}'", path),
                          "others could replace what is written there",
                          fmt::format("chmod o-w '{}', or choose another folder", path));
    if (access == Access::group) let_group_in(path, info);
}

void make_inner_folder(const std::string& given, Access access) {
    const std::string path = without_slashes_at_end(given);
    if (make_folder(path, folder_mode(access))) return;
    const struct stat info = examined_folder(path, ::lstat);
    if (S_ISLNK(info.st_mode))
        throw ConfigError(fmt::format("'{}' is a link", path),
                          "files would be written to where it leads", "put a folder in its place");
    if (access == Access::group) let_group_in(path, info);
}

std::string own_folder(const std::vector<FolderPlace>& places) {
    std::vector<std::string> refused;
    for (const FolderPlace& place : places) {
        std::string path = place.parent;
        bool ours = !path.empty() && path[0] == '/' && (place.is_shared || is_ours(path, true));
        for (const auto& part : std::filesystem::path(place.name)) {
            if (!ours) break;
            path += '/' + part.string();
            (void)::mkdir(path.c_str(), 0700);  // whether it is there now shows at once
            ours = is_ours(path, !place.is_shared);
        }
        if (ours && ::access(path.c_str(), W_OK | X_OK) == 0) return path;
        if (!place.parent.empty()) refused.push_back(place.parent + '/' + place.name);
    }
    throw ConfigError("there is no folder that only this user may write to",
                      fmt::format("tried: {}", fmt::join(refused, ", ")),
                      "give the user a home, or set XDG_RUNTIME_DIR to such a folder");
}

std::string own_lock_folder() {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    return own_folder({{home_of_user(), ".cache/edgeloop"},
                       {runtime != nullptr ? runtime : "", "edgeloop"},
                       {"/tmp", fmt::format("edgeloop-{}", ::geteuid()), true}});
}

}  // namespace edgeloop
