// What holds the process of a job, tried in processes that are held so, as root and as others.
#include "sandbox.hpp"

#include "file_view.hpp"
#include "measuring.hpp"
#include "support/temporary_folder.hpp"
#include "syscall_filter.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edgeloop::sandbox_test {
namespace {

constexpr int nobody = 65534;

/// Status of a process that does this; its own exit code is what `action` gives.
int status_of(const std::function<int()>& action) {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 99;
        try {
            code = action();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
        ::_exit(code);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
}

int code_of(const std::function<int()>& action) {
    const int status = status_of(action);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Whether a call fails, in a process that the filter holds; gives its error.
int error_of(const std::function<long()>& call, bool gpu = false) {
    return code_of([&] {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (!install_filter(syscall_filter({::getpid(), gpu}))) return 98;
        return call() >= 0 ? 0 : errno;
    });
}

TEST(SyscallFilter, ComputingGoesOn) {
    EXPECT_EQ(error_of([] {
                  // Memory, also executable, threads, clocks, signals to itself, files to read.
                  std::vector<char> memory(64 << 20);
                  std::thread([&] { memory[0] = 1; }).join();
                  void* const code = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
                  std::ifstream file("/proc/cpuinfo");
                  std::string line;
                  return code != MAP_FAILED && std::getline(file, line) && ::raise(0) == 0 ? 0L
                                                                                           : -1L;
              }),
              0);
}

TEST(SyscallFilter, WhatOnlyAnAttackDoesEndsTheProcess) {
    const std::vector<std::pair<const char*, std::function<long()>>> calls{
        {"fork", [] { return ::fork(); }},
        {"exec",
         [] {
             char* const none[] = {nullptr};
             return ::execve("/bin/true", none, none);
         }},
        {"kill", [] { return ::kill(::getppid(), SIGTERM); }},
        {"kill all", [] { return ::kill(-1, SIGKILL); }},
        {"tgkill", [] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), SIGTERM); }},
        {"ptrace", [] { return ::syscall(SYS_ptrace, 16, ::getppid(), 0, 0); }},
        {"read memory",
         [] { return ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0); }},
        {"unshare", [] { return ::unshare(CLONE_NEWUSER); }},
        {"mount", [] { return ::syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr); }},
        {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
        {"keys", [] { return ::syscall(SYS_keyctl, 0, 0); }}};
    for (const auto& [name, call] : calls) EXPECT_EQ(error_of(call), -SIGSYS) << name;
}

TEST(SyscallFilter, OtherWaysOutAreRefused) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("file");
    const std::vector<std::pair<const char*, std::function<long()>>> calls{
        {"socket", [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }},
        {"write", [&] { return ::open(file.c_str(), O_WRONLY | O_CREAT, 0600); }},
        {"temporary", [&] { return ::open(folder.root().c_str(), O_TMPFILE | O_RDWR, 0600); }},
        {"append", [] { return ::open("/dev/null", O_RDWR); }},
        {"session", [] { return ::setsid(); }},
        {"memory file", [] { return ::memfd_create("x", 0); }},
        {"shared memory",
         [] {
             return ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ==
                            MAP_FAILED
                        ? -1
                        : 0;
         }},
        {"pages of a device",
         [] {
             const int zeros = ::open("/dev/zero", O_RDONLY);
             return ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, zeros, 0) == MAP_FAILED ? -1 : 0;
         }},
        {"growing stack",
         [] {
             return ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
                           -1, 0) == MAP_FAILED
                        ? -1
                        : 0;
         }},
        {"limits",
         [] {
             const rlimit more{1 << 30, 1 << 30};
             return ::setrlimit(RLIMIT_DATA, &more);
         }},
        {"dumpable", [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
        {"owner of a descriptor", [] { return ::fcntl(0, F_SETOWN, ::getppid()); }},
        {"ring", [] { return ::syscall(425, 8, nullptr); }},
        {"unknown", [] { return ::syscall(1000, 0, 0); }}};
    for (const auto& [name, call] : calls)
        EXPECT_THAT(error_of(call), testing::AnyOf(EPERM, ENOSYS)) << name;
    EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(SyscallFilter, AGpusDriverReachesItsDevicesButMakesNoProcess) {
    EXPECT_EQ(error_of([] { return ::open("/dev/null", O_RDWR); }, true), 0);
    EXPECT_EQ(error_of([] { return ::fork(); }, true), EPERM);
    EXPECT_EQ(error_of([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }, true), EPERM);
}

/// In a process of user nobody, when root runs this; else in one of this user.
int code_as_nobody(const std::function<int()>& action) {
    return code_of([&] {
        if (::geteuid() == 0 &&
            (::setgroups(0, nullptr) != 0 || ::setgid(nobody) != 0 || ::setuid(nobody) != 0))
            return 97;
        return action();
    });
}

/// Tries all that is refused, in processes that are held as settings say. @return 0: all was
/// refused that this kernel can refuse.
int attempts(const SandboxSettings& settings) {
    MeasuringLimits limits;
    limits.sandbox = settings;
    limits.namespaces = leave_namespaces();
    const Json report = sandbox_report(limits, true);
    if (!report.at("seccomp").get<bool>()) return 77;
    auto left = report.at("not_refused").get<std::vector<std::string>>();
    if (report.at("files") == "readable")
        left.erase(std::remove_if(left.begin(), left.end(),
                                  [](const std::string& name) {
                                      return name.rfind("read", 0) == 0 ||
                                             name.rfind("list", 0) == 0;
                                  }),
                   left.end());
    for (const std::string& name : left) std::fprintf(stderr, "not refused: %s\n", name.c_str());
    return left.empty() && report.at("capabilities") == "none" ? 0 : 1;
}

TEST(Sandbox, AllThatItRefusesIsRefused) {
    const int code = code_of([] { return attempts(SandboxSettings::of("best", "")); });
    if (code == 77) GTEST_SKIP() << "this kernel filters no system calls";
    EXPECT_EQ(code, 0);
}

TEST(Sandbox, AllThatItRefusesIsRefusedForAnOrdinaryUser) {
    const int code = code_as_nobody([] { return attempts(SandboxSettings::of("best", "")); });
    if (code == 77) GTEST_SKIP() << "this kernel filters no system calls";
    EXPECT_EQ(code, 0);
}

TEST(Sandbox, OfRootAJobIsAnotherUserWithoutRights) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    const auto user_of = [](const std::string& user) {
        MeasuringLimits limits;
        limits.sandbox = SandboxSettings::of("best", user);
        return sandbox_report(limits, false).at("user").get<int>();
    };
    EXPECT_GE(user_of(""), nobody);
    EXPECT_EQ(user_of("nobody"), nobody);
    EXPECT_EQ(user_of("12345"), 12345);
    for (const char* wrong : {"root", "0", "-5", "no such user"})
        EXPECT_THROW((void)SandboxSettings::of("best", wrong), ConfigError) << wrong;
}

TEST(Sandbox, OnlyRootChoosesAUser) {
    EXPECT_EQ(code_as_nobody([] {
                  try {
                      (void)SandboxSettings::of("best", "daemon");
                      return 1;
                  } catch (const ConfigError&) {
                      return SandboxSettings::of("best", "").user == -1 ? 0 : 2;
                  }
              }),
              0);
}

TEST(Sandbox, SettingsAreReadAsTheyAreWritten) {
    SandboxSettings settings;
    settings.mode = SandboxMode::require;
    settings.user = 5;
    settings.group = 6;
    const SandboxSettings read = SandboxSettings::from_json(settings.to_json());
    EXPECT_EQ(read.to_json(), settings.to_json());
    EXPECT_THROW((void)SandboxSettings::from_json(Json::object()), ConfigError);
    EXPECT_THROW((void)SandboxSettings::from_json({{"mode", "none"}, {"user", 1}, {"group", 1}}),
                 ConfigError);
    EXPECT_THROW((void)SandboxSettings::of("some", ""), ConfigError);
}

TEST(Sandbox, WhatIsRequiredIsChecked) {
    SandboxSettings settings;
    settings.mode = SandboxMode::require;
    const Json strong = {{"seccomp", true}, {"files", "landlock"}, {"capabilities", "none"}};
    EXPECT_NO_THROW(require_as_set(settings, strong));
    for (const char* part : {"seccomp", "files", "capabilities"}) {
        Json weak = strong;
        weak.erase(part);
        EXPECT_THROW(require_as_set(settings, weak), IoError) << part;
        settings.mode = SandboxMode::best;
        EXPECT_NO_THROW(require_as_set(settings, weak));
        settings.mode = SandboxMode::require;
    }
}

/// 0: sees what a job may, and nothing else.
int sees_its_view_only(const std::string& hidden) {
    const auto opens = [](const std::string& path, int flags) {
        const int opened = ::open(path.c_str(), flags, 0600);
        if (opened >= 0) ::close(opened);
        return opened >= 0;
    };
    for (const char* needed : {"/proc/cpuinfo", "/proc/self/status", "/sys/devices/system/cpu",
                               "/usr/lib", "/dev/null", "/dev/urandom"})
        if (std::filesystem::exists(needed) && !opens(needed, O_RDONLY)) return 1;
    for (const std::string& other : {hidden, std::string("/etc/passwd"), std::string("/tmp")})
        if (opens(other, O_RDONLY)) return 2;
    for (const char* folder : {"/tmp", "/usr/lib", "/"})
        if (opens(std::string(folder) + "/edgeloop-escape", O_WRONLY | O_CREAT | O_EXCL)) return 3;
    return 0;
}

TEST(FileView, LandlockShowsWhatAJobNeeds) {
    if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
    const test::TemporaryFolder folder;
    std::ofstream(folder.path("secret")) << "secret";
    EXPECT_EQ(code_of([&] {
                  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                  if (!see_by_landlock(view_of_a_job(false))) return 9;
                  return sees_its_view_only(folder.path("secret"));
              }),
              0);
}

TEST(FileView, MountsShowWhatAJobNeeds) {
    const test::TemporaryFolder folder;
    std::ofstream(folder.path("secret")) << "secret";
    const auto action = [&] {
        (void)leave_namespaces();  // of others than root this gives the right to mount
        if (!see_by_mounts(view_of_a_job(false))) return 77;
        return sees_its_view_only(folder.path("secret"));
    };
    const int code = code_of(action), of_others = code_as_nobody(action);
    if (code == 77 || of_others == 77) GTEST_SKIP() << "no namespaces can be made here";
    EXPECT_EQ(code, 0);
    EXPECT_EQ(of_others, 0);
}

/// The smallest of the shared libraries of this process.
std::string small_library() {
    std::string best;
    const auto look = [](dl_phdr_info* info, std::size_t, void* found) {
        std::string& least = *static_cast<std::string*>(found);
        const std::string path = info->dlpi_name;
        std::error_code error;
        const auto size = std::filesystem::file_size(path, error);
        if (!path.empty() && !error && (least.empty() || size < std::filesystem::file_size(least)))
            least = path;
        return 0;
    };
    ::dl_iterate_phdr(look, &best);
    return best;
}

TEST(FileView, OfAFolderWithLibrariesAJobSeesThoseOnly) {
    const test::TemporaryFolder folder;
    const std::string library = folder.path("libcopy.so.1"), key = folder.path("device.key");
    std::filesystem::copy_file(small_library(), library);
    std::ofstream(key) << "secret";
    std::ofstream(folder.path("libother.so")) << "which the first may load later";
    void* const loaded = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(loaded, nullptr) << ::dlerror();
    const std::vector<std::string> readable = view_of_a_job(false).readable;
    ::dlclose(loaded);
    const auto is_beside = [&](const std::string& path) {
        return path.rfind(std::filesystem::canonical(folder.root()).string(), 0) == 0;
    };
    EXPECT_EQ(std::count_if(readable.begin(), readable.end(), is_beside), 2);
    EXPECT_THAT(readable, testing::Contains(testing::EndsWith("/libcopy.so.1")));
    EXPECT_THAT(readable, testing::Contains(testing::EndsWith("/libother.so")));
}

TEST(Sandbox, MemoryIsHiddenFromOtherProcessesOfTheUser) {
    EXPECT_EQ(code_as_nobody([] {
                  hide_memory();
                  const std::string memory = "/proc/" + std::to_string(::getpid()) + "/mem";
                  return code_of([&] {
                      return ::open(memory.c_str(), O_RDONLY) < 0 && errno == EACCES ? 0 : 1;
                  });
              }),
              0);
}

TEST(Sandbox, StrayDescriptorsAreClosed) {
    EXPECT_EQ(code_of([] {
                  for (int i = 0; i < 20; ++i) (void)::dup(STDERR_FILENO);
                  close_descriptors_from(STDERR_FILENO + 1);
                  for (int i = STDERR_FILENO + 1; i < 64; ++i)
                      if (::fcntl(i, F_GETFD) >= 0) return 1;
                  return ::fcntl(STDERR_FILENO, F_GETFD) >= 0 ? 0 : 2;
              }),
              0);
}

}  // namespace
}  // namespace edgeloop::sandbox_test
