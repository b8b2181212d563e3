#include "file_view.hpp"

#include "edgeloop/core/descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

/// Folders of the shared libraries of this process.
std::set<fs::path> library_folders() {
    std::set<fs::path> folders;
    const auto add = [](dl_phdr_info* info, std::size_t, void* found) {
        const fs::path path = info->dlpi_name;
        std::error_code error;
        const fs::path folder = fs::canonical(path, error).parent_path();
        if (path.is_absolute() && !error) static_cast<std::set<fs::path>*>(found)->insert(folder);
        return 0;
    };
    ::dl_iterate_phdr(add, &folders);
    return folders;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
    return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
           folder.end();
}

/// The shared libraries beside those of this process, wherever an operator has put them, and
/// nothing else that lies there: in somebody's own folder that may be keys.
std::vector<std::string> libraries_outside(const std::vector<std::string>& readable) {
    std::vector<std::string> libraries;
    for (const fs::path& folder : library_folders()) {
        if (std::any_of(readable.begin(), readable.end(),
                        [&](const std::string& known) { return is_inside(folder, known); }))
            continue;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(folder, error))
            if (entry.path().filename().string().find(".so") != std::string::npos &&
                entry.is_regular_file(error))
                libraries.push_back(entry.path().string());
    }
    return libraries;
}

/// Device files of NVIDIA's drivers; those of Jetson have names of their own.
std::vector<std::string> gpu_devices() {
    std::vector<std::string> devices;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/dev", error)) {
        const std::string name = entry.path().filename().string();
        for (const std::string_view prefix :
             {"nvidia", "nvhost", "nvmap", "nvgpu", "nvsciipc", "dri"})
            if (name.rfind(prefix, 0) == 0) devices.push_back(entry.path().string());
    }
    return devices;
}

}  // namespace

FileView view_of_a_job(bool gpu) {
    FileView view;
    view.readable = {"/lib",
                     "/lib64",
                     "/usr/lib",
                     "/usr/lib64",
                     "/usr/local/lib",
                     "/etc/ld.so.cache",
                     "/etc/localtime",
                     "/usr/share/zoneinfo",
                     "/proc/self",
                     "/proc/cpuinfo",
                     "/proc/meminfo",
                     "/proc/stat",
                     "/proc/loadavg",
                     "/proc/sys/vm",
                     "/sys/devices/system",
                     "/sys/fs/cgroup",
                     "/sys/kernel/mm",
                     "/dev/zero",
                     "/dev/urandom"};
    const std::vector<std::string> libraries = libraries_outside(view.readable);
    view.readable.insert(view.readable.end(), libraries.begin(), libraries.end());
    view.devices = {"/dev/null"};
    if (gpu) {
        for (const char* more : {"/proc", "/sys", "/etc/nvidia", "/usr/share/nvidia"})
            view.readable.emplace_back(more);
        for (std::string& device : gpu_devices()) view.devices.push_back(std::move(device));
    }
    return view;
}

FileView view_of_tools(const std::string& folder) {
    FileView view;
    view.readable = {"/etc/alternatives",   "/etc/ld.so.cache", "/etc/perl", "/proc",
                     "/sys/devices/system", "/sys/fs/cgroup",   "/dev/zero", "/dev/urandom"};
    view.devices = {"/dev/null"};
    view.programs = {"/bin", "/sbin", "/lib", "/lib64", "/usr", "/opt"};
    // Of tools that an operator has put elsewhere.
    const char* const path = std::getenv("PATH");
    std::istringstream places(path != nullptr ? path : "");
    for (std::string place; std::getline(places, place, ':');)
        for (const char* beside : {"", "/../lib", "/../libexec", "/../share"})
            if (!place.empty() && place.front() == '/') view.programs.push_back(place + beside);
    view.folder = folder;
    return view;
}

namespace {

// Landlock of linux/landlock.h, which older headers lack or have without the later parts.
constexpr long create_ruleset = 444, add_rule = 445, restrict_self = 446;
constexpr unsigned long ask_version = 1;
constexpr int rule_path_beneath = 1;

struct Ruleset {
    std::uint64_t files, network, scoped;
};
struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent;
};

constexpr std::uint64_t bit(unsigned which) { return std::uint64_t{1} << which; }
constexpr std::uint64_t execute = bit(0), write_file = bit(1), read_file_bit = bit(2),
                        read_folder = bit(3);
constexpr std::uint64_t control_device = bit(15);

/// Every access to files that this version knows.
std::uint64_t all_accesses(int version) {
    const unsigned known = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;
    return bit(known) - 1;
}

/// What is there of the list is allowed.
bool allow_paths(int ruleset, const std::vector<std::string>& paths, std::uint64_t of_files,
                 std::uint64_t of_folders) {
    for (const std::string& path : paths) {
        const Descriptor opened(::open(path.c_str(), O_PATH | O_CLOEXEC));
        struct stat status {};
        if (opened.get() < 0 || ::fstat(opened.get(), &status) != 0) continue;
        const PathBeneath rule{S_ISDIR(status.st_mode) ? of_folders : of_files, opened.get()};
        if (::syscall(add_rule, ruleset, rule_path_beneath, &rule, 0) != 0) return false;
    }
    return true;
}

}  // namespace

int landlock_version() {
    const long version = ::syscall(create_ruleset, nullptr, 0, ask_version);
    return version > 0 ? static_cast<int>(version) : 0;
}

bool see_by_landlock(const FileView& view) {
    const int version = landlock_version();
    if (version == 0) return false;
    Ruleset all{all_accesses(version), 0, 0};
    if (version >= 4) all.network = bit(0) | bit(1);  // to bind and to connect
    if (version >= 6) all.scoped = bit(0) | bit(1);   // abstract sockets and signals
    const Descriptor ruleset(static_cast<int>(::syscall(create_ruleset, &all, sizeof all, 0)));
    if (ruleset.get() < 0) return false;
    const std::uint64_t of_devices = (read_file_bit | write_file | control_device) & all.files;
    const std::uint64_t of_programs = read_file_bit | execute;
    std::vector<std::string> own;
    if (!view.folder.empty()) own.push_back(view.folder);
    return allow_paths(ruleset.get(), view.readable, read_file_bit, read_file_bit | read_folder) &&
           allow_paths(ruleset.get(), view.programs, of_programs, of_programs | read_folder) &&
           allow_paths(ruleset.get(), own, 0, all.files) &&
           allow_paths(ruleset.get(), view.devices, of_devices, of_devices | read_folder) &&
           ::syscall(restrict_self, ruleset.get(), 0) == 0;
}

namespace {

/// An entry of the view, held while mounts cover where it lies.
struct Held {
    std::string path;
    Descriptor opened;
    bool folder = false, writable = false;
};

std::vector<Held> hold(const FileView& view) {
    std::vector<Held> all;
    const auto add = [&](const std::vector<std::string>& paths, bool writable) {
        for (const std::string& path : paths) {
            Descriptor opened(::open(path.c_str(), O_PATH | O_CLOEXEC));
            struct stat status {};
            if (opened.get() < 0 || ::fstat(opened.get(), &status) != 0) continue;
            all.push_back({path, std::move(opened), S_ISDIR(status.st_mode), writable});
        }
    };
    add(view.readable, false);
    add(view.devices, true);
    return all;
}

/// Flags of a mount that a user namespace may not take away.
unsigned long kept_flags(const std::string& path) {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return 0;
    unsigned long flags = 0;
    for (const auto& [there, flag] : {std::pair<unsigned long, unsigned long>{ST_NOSUID, MS_NOSUID},
                                      {ST_NODEV, MS_NODEV},
                                      {ST_NOEXEC, MS_NOEXEC},
                                      {ST_NOATIME, MS_NOATIME},
                                      {ST_NODIRATIME, MS_NODIRATIME},
                                      {ST_RELATIME, MS_RELATIME}})
        if ((status.f_flag & there) != 0) flags |= flag;
    return flags;
}

bool bind_into(const std::string& root, const Held& held) {
    const std::string target = root + held.path;
    std::error_code error;
    fs::create_directories(held.folder ? fs::path(target) : fs::path(target).parent_path(), error);
    if (error) return false;
    if (!held.folder) {
        const Descriptor file(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        if (file.get() < 0) return false;
    }
    const std::string source = fmt::format("/proc/self/fd/{}", held.opened.get());
    if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
        return false;
    const unsigned long flags = kept_flags(target) | MS_NOSUID | (held.writable ? 0 : MS_RDONLY);
    return ::mount(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | flags, nullptr) == 0;
}

}  // namespace

bool see_by_mounts(const FileView& view) {
    const std::string root = "/tmp";
    if (::unshare(CLONE_NEWNS) != 0) return false;
    ::umask(022);  // whoever the process becomes has to get through the folders
    const std::vector<Held> all = hold(view);
    // Of what is mounted from here on, nothing gets out.
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m") != 0)
        return false;
    for (const Held& held : all)
        if (!bind_into(root, held)) return false;
    return ::mount(nullptr, root.c_str(), nullptr,
                   MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) == 0 &&
           ::chdir(root.c_str()) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
           ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
}

}  // namespace edgeloop
