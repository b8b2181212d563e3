#include "sandbox.hpp"

#include "file_view.hpp"
#include "syscall_filter.hpp"
#include "system_files.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace edgeloop {
namespace {

bool write_text(const char* path, const std::string& text) {
    const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    return file.get() >= 0 && write_all(file.get(), text);
}

/// The kernel keeps files in /proc of a process whose memory is hidden for root.
void show_memory() { ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }

/// Never more than `most`, also of what it may raise itself to.
template <class Resource>
void limit(Resource resource, std::uint64_t most) {
    rlimit now{};
    if (::getrlimit(resource, &now) != 0) return;
    now.rlim_max = std::min<rlim_t>(now.rlim_max, most);
    now.rlim_cur = now.rlim_max;
    ::setrlimit(resource, &now);
}

/// The stack of the first thread, which the limit on memory does not count. Not more than it had:
/// where memory is mapped has been chosen by that.
void limit_stack() {
    constexpr rlim_t most = rlim_t{64} << 20;
    rlimit now{};
    if (::getrlimit(RLIMIT_STACK, &now) != 0) return;
    now.rlim_max = now.rlim_cur = std::min(now.rlim_cur, most);
    ::setrlimit(RLIMIT_STACK, &now);
}

/// Threads of the whole machine: the limit on those of a user counts also what others of this user
/// run.
std::uint64_t threads_of_the_machine() {
    std::ifstream file("/proc/loadavg");
    std::string word;
    for (int i = 0; i < 4; ++i) file >> word;  // three loads, then running/all
    const auto slash = word.find('/');
    return number_in<std::uint64_t>(word.substr(slash == std::string::npos ? 0 : slash + 1))
        .value_or(0);
}

void limit_resources(const SandboxSettings& settings, const JobBounds& bounds) {
    constexpr std::uint64_t spare_threads = 64, files = 256, files_of_a_driver = 4096;
    const std::uint64_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::uint64_t others = settings.user >= 0 ? 0 : threads_of_the_machine();
    limit(RLIMIT_NPROC,
          others + static_cast<std::uint64_t>(bounds.threads) + cores + spare_threads);
    constexpr std::uint64_t file_of_a_tool = std::uint64_t{1} << 30;
    if (!bounds.gpu)  // drivers share files in memory
        limit(RLIMIT_FSIZE, bounds.folder.empty() ? 0 : file_of_a_tool);
    limit(RLIMIT_MSGQUEUE, 0);
    limit_stack();
    limit(RLIMIT_NOFILE, bounds.gpu ? files_of_a_driver : files);
    constexpr double spare_s = 60;  // whoever waits for the job ends it before
    limit(RLIMIT_CPU, static_cast<std::uint64_t>(bounds.time_limit_s + spare_s) * cores);
}

void drop_bounding_set() {
    constexpr int highest = 63;  // the kernel refuses those that it does not know
    for (int right = 0; right <= highest; ++right) ::prctl(PR_CAPBSET_DROP, right, 0, 0, 0);
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void become(int user, int group) {
    const auto as_user = static_cast<uid_t>(user);
    const auto as_group = static_cast<gid_t>(group);
    if (::setgroups(0, nullptr) != 0 || ::setresgid(as_group, as_group, as_group) != 0 ||
        ::setresuid(as_user, as_user, as_user) != 0 || ::getuid() != as_user)
        throw IoError(fmt::format("the process of a job cannot become user {}", user),
                      std::strerror(errno), "give another --sandbox-user");
}

/// @return whether this process has no rights beyond those of its user now.
bool drop_rights() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    return ::syscall(SYS_capset, &header, none) == 0;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void hide_memory() { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

const std::vector<std::string>& passed_environment() {
    static const std::vector<std::string> beginnings{
        "PATH=", "LANG=", "LC_", "TZ=", "LD_LIBRARY_PATH=", "LD_PRELOAD=",
        // Threads, kernels and memory of the runtimes and of what they compute with.
        "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "BLIS_", "MKL_", "DNNL_", "ONEDNN_", "ATEN_",
        "TORCH_", "PYTORCH_", "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "MALLOC_", "GLIBC_TUNABLES=",
        // Of builds that look for mistakes.
        "ASAN_OPTIONS=", "LSAN_OPTIONS=", "TSAN_OPTIONS=", "UBSAN_OPTIONS="};
    return beginnings;
}

void close_descriptors_from(int first) {
    constexpr long close_range = 436;
    if (::syscall(close_range, first, ~0U, 0) == 0) return;
    std::vector<int> open;  // kernels before 5.9
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error))
        if (const auto number = number_in<int>(entry.path().filename().string()))
            if (*number >= first) open.push_back(*number);
    for (const int descriptor : open) ::close(descriptor);
}

std::vector<std::string> leave_namespaces() {
    constexpr int wanted = CLONE_NEWNET | CLONE_NEWIPC;
    if (::geteuid() == 0)
        return ::unshare(wanted) == 0 ? std::vector<std::string>{"ipc", "net"}
                                      : std::vector<std::string>{};
    // Others have the right to in a user namespace of their own, where they stay who they are.
    const std::string users = fmt::format("{0} {0} 1", ::geteuid());
    const std::string groups = fmt::format("{0} {0} 1", ::getegid());
    show_memory();
    const bool left = ::unshare(CLONE_NEWUSER | wanted) == 0;
    if (left) {
        (void)write_text("/proc/self/setgroups", "deny");  // kernels before 3.19 have no such file
        (void)write_text("/proc/self/uid_map", users);
        (void)write_text("/proc/self/gid_map", groups);
    }
    hide_memory();
    return left ? std::vector<std::string>{"ipc", "net", "user"} : std::vector<std::string>{};
}

std::vector<std::string> prepare_for_a_job(const SandboxSettings& settings) {
    show_memory();
    (void)write_text("/proc/self/oom_score_adj", "1000");
    hide_memory();
    if (settings.mode == SandboxMode::off || ::unshare(CLONE_NEWPID) != 0) return {};
    return {"pid"};
}

Json confine(const SandboxSettings& settings, const JobBounds& bounds,
             const std::vector<std::string>& namespaces) {
    Json report = {{"mode", settings.to_json().at("mode")}};
    limit(RLIMIT_CORE, 0);
    if (settings.mode == SandboxMode::off) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        return report;
    }
    limit_resources(settings, bounds);
    const bool tools = !bounds.folder.empty();
    const FileView view = tools ? view_of_tools(bounds.folder) : view_of_a_job(bounds.gpu);
    const int landlock = landlock_version();
    bool mounted = false;
    if (landlock == 0 && !tools) mounted = see_by_mounts(view);
    drop_bounding_set();
    if (settings.user >= 0) become(settings.user, settings.group);
    report["capabilities"] = drop_rights() ? "none" : "kept";
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const bool locked = landlock > 0 && see_by_landlock(view);
    report["files"] = locked ? "landlock" : mounted ? "mounts" : "readable";
    if (locked) report["landlock"] = landlock;
    report["user"] = ::getuid();
    report["namespaces"] = namespaces;
    if (mounted) report["namespaces"].push_back("mount");
    // After the change of user, which forgets both.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    hide_memory();
    return report;
}

void note_open_calls(Json& report) {
    const auto names = report.value("namespaces", std::vector<std::string>());
    report["seccomp"] = false;
    report["network"] = has(names, "net") ? "none" : "open";
}

void confine_calls(const SandboxSettings& settings, const JobBounds& bounds, Json& report) {
    if (settings.mode == SandboxMode::off) return;
    const bool filtered = install_filter(syscall_filter({::getpid(), bounds.gpu}));
    const auto names = report.at("namespaces").get<std::vector<std::string>>();
    report["seccomp"] = filtered;
    report["network"] = has(names, "net") ? "none" : filtered ? "refused" : "open";
    // Says whether filters, ours or a service's, have made this process slower.
    if (const auto bypass = SystemFiles().field("/proc/self/status", "Speculation_Store_Bypass"))
        report["store_bypass"] = *bypass;
}

}  // namespace edgeloop
