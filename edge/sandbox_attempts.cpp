#include "sandbox_attempts.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace edgeloop {
namespace {

using Attempt = std::pair<const char*, long (*)()>;

constexpr long io_uring_setup = 425;  // younger than some headers

/// Each gives -1 and an error when it fails.
const std::vector<Attempt>& attempts() {
    static const std::vector<Attempt> all{
        {"start a process",
         [] {
             const pid_t child = ::fork();
             if (child == 0) ::_exit(0);
             return static_cast<long>(child);
         }},
        // An empty path is no program: where programs may be started the error is another.
        {"start a program",
         [] {
             char* const none[] = {nullptr};
             return static_cast<long>(::execve("", none, none));
         }},
        {"look into a process", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
        {"send a signal to another process",
         [] { return static_cast<long>(::kill(::getpid() + 1, 0)); }},
        {"open a socket",
         [] { return static_cast<long>(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }},
        {"read a file that is not the model's",
         [] { return static_cast<long>(::open("/etc/passwd", O_RDONLY | O_CLOEXEC)); }},
        {"list the folders of the machine",
         [] { return static_cast<long>(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }},
        {"write a file",
         [] { return static_cast<long>(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); }},
        {"make a file in memory",
         [] { return static_cast<long>(::memfd_create("attempt", MFD_CLOEXEC)); }},
        {"take memory that no limit counts",
         [] {
             void* const got =
                 ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
             return got == MAP_FAILED ? -1L : 0L;
         }},
        {"leave its session", [] { return static_cast<long>(::setsid()); }},
        {"make a namespace", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
        {"change its limits",
         [] {
             const rlimit none{0, 0};
             return static_cast<long>(::setrlimit(RLIMIT_CORE, &none));
         }},
        {"queue work in the kernel", [] { return ::syscall(io_uring_setup, 1, nullptr); }},
        {"count events of the processor",
         [] { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }}};
    return all;
}

}  // namespace

std::vector<std::string> attempt_names() {
    std::vector<std::string> names;
    for (const Attempt& each : attempts()) names.emplace_back(each.first);
    return names;
}

std::string attempt(std::size_t which) {
    if (attempts().at(which).second() >= 0) return {};
    // Anything else is an error of what was allowed to be tried.
    const bool refused = errno == EPERM || errno == EACCES || errno == ENOSYS;
    return refused ? std::strerror(errno) : "";
}

}  // namespace edgeloop
