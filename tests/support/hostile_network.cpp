#include "support/hostile_network.hpp"

#include "job_channel.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

namespace edgeloop::test {
namespace {

pid_t agent = 0;
std::string folder;  ///< of the program

constexpr int control = 3, marks = 4;  ///< the ends of the channel that the process of a job has

std::string fork_without_end() {
    int made = 0;
    while (::fork() >= 0) ++made;
    return made > 0 ? "processes" : "";
}

std::string leave_a_daemon() {
    if (::setsid() >= 0) return "a session";
    if (::syscall(SYS_clone, CLONE_VM | CLONE_VFORK, nullptr, nullptr, nullptr, 0) >= 0)
        return "a process";
    return {};
}

std::string run_a_program() {
    char* const none[] = {nullptr};
    ::execve("/bin/sh", none, none);
    return {};
}

std::string write_files() {
    for (const std::string& where : {folder + "/open", std::string("/tmp"), std::string("/dev/shm"),
                                     std::string("/var/tmp"), std::string(".")})
        for (int i = 0; i < 1000; ++i) {
            const std::string path = where + "/edgeloop-escape-" + std::to_string(i);
            const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
            if (file < 0) break;
            return "a file in " + where;
        }
    if (::unlink((folder + "/secret").c_str()) == 0) return "an unlinked file";
    return {};
}

std::string read_secrets() {
    const std::string of_agent = "/proc/" + std::to_string(agent);
    for (const std::string& path :
         {folder + "/secret", of_agent + "/mem", of_agent + "/environ", of_agent + "/maps",
          of_agent + "/cmdline", std::string("/etc/shadow"), std::string("/etc/passwd")}) {
        char byte = 0;
        const int file = ::open(path.c_str(), O_RDONLY);
        if (file >= 0 && ::read(file, &byte, 1) == 1) return "to read " + path;
    }
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
        return "to list " + entry.path().string();
    return {};
}

std::string open_sockets() {
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK})
        for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW})
            if (::socket(family, type, 0) >= 0) return "a socket";
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) return "a pair of sockets";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/tmp/socket");
    if (::sendto(marks, "x", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof address) >= 0)
        return "a message to others";
    return {};
}

std::string trace_the_agent() {
    if (::ptrace(PTRACE_ATTACH, agent, nullptr, nullptr) == 0) return "to trace the agent";
    return {};
}

std::string read_the_agents_memory() {
    std::array<char, 16> bytes{};
    const iovec here{bytes.data(), bytes.size()}, there{&agent, bytes.size()};
    if (::process_vm_readv(agent, &here, 1, &there, 1, 0) > 0) return "to read its memory";
    return {};
}

std::string kill_the_agent() {
    if (::kill(agent, SIGKILL) == 0) return "to kill the agent";
    return {};
}
std::string kill_everybody() {
    if (::kill(-1, SIGKILL) == 0) return "to kill others";
    return {};
}
/// By a signal that the kernel sends when a descriptor can be read.
std::string kill_by_a_descriptor() {
    if (::fcntl(control, F_SETOWN, agent) == 0) return "to own a descriptor for another";
    if (::syscall(SYS_rt_sigqueueinfo, agent, SIGKILL, nullptr) == 0) return "to queue a signal";
    return {};
}

std::string write_to_descriptors() {
    for (int descriptor = marks + 1; descriptor < 4096; ++descriptor)
        if (::write(descriptor, "x", 1) > 0) return "to write to " + std::to_string(descriptor);
    return {};
}
/// An answer of its own, as for the whole job.
std::string answer_for_all() {
    constexpr const char* text =
        R"({"status":"completed","metrics":{"latency_ms":1e-9},"reason":"","record":{}})";
    (void)::send(control, text, std::strlen(text), MSG_NOSIGNAL);
    return {};
}
std::string flood_the_channel() {
    const std::string much(60'000, '[');
    while (::send(control, much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
    }
    return {};
}
std::string mark_runs_that_were_not() {
    const JobSide side(control, marks);
    for (int i = 0; i < 20; ++i) (void)side.mark(Mark::begun);
    return {};
}

std::string take_memory() {
    std::vector<std::vector<char>> hoard;
    while (true) hoard.emplace_back(1 << 20, 'x');
}
std::string take_shared_memory() {
    constexpr std::size_t size = std::size_t{1} << 30;
    if (::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
        MAP_FAILED)
        return "shared memory";
    const int zeros = ::open("/dev/zero", O_RDONLY);
    if (::mmap(nullptr, size, PROT_READ, MAP_SHARED, zeros, 0) != MAP_FAILED)
        return "pages of a device";
    // Pages that are only looked at take none, but their tables do: of this much 2 GiB.
    constexpr std::size_t much = std::size_t{1} << 40;
    if (::mmap(nullptr, much, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
        MAP_FAILED)
        return "page tables";
    if (::mmap(nullptr, size, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK, -1, 0) != MAP_FAILED)
        return "a growing stack";
    if (::memfd_create("hoard", 0) >= 0) return "a file in memory";
    if (::shmget(IPC_PRIVATE, size, IPC_CREAT | 0600) >= 0) return "memory of System V";
    return {};
}
std::string start_threads() {
    std::vector<std::thread> threads;
    try {
        while (threads.size() < 100'000)
            threads.emplace_back([] {
                while (true) std::this_thread::sleep_for(std::chrono::seconds(1));
            });
    } catch (const std::system_error&) {
        // Joined by nobody: the process ends with all.
        constexpr std::size_t most = 20'000;  // a machine that is busy may have thousands itself
        const std::size_t got = threads.size();
        for (std::thread& thread : threads) thread.detach();
        return got < most ? "" : "threads without end";
    }
    return "threads without end";
}

std::string raise_its_limits() {
    const rlimit more{1 << 30, RLIM_INFINITY};
    for (const auto resource :
         {RLIMIT_DATA, RLIMIT_AS, RLIMIT_STACK, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_CORE})
        if (::setrlimit(resource, &more) == 0) return "a higher limit";
    rlimit stack{};
    if (::getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY)
        return "a stack without end";
    if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0) return "to be dumped";
    if (::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0) return "to outlive its parent";
    return {};
}
std::string leave_its_namespace() {
    if (::unshare(CLONE_NEWUSER) == 0) return "a namespace";
    return {};
}

std::string never_return() {
    // Asked to end, it does not; nor when it is told.
    for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_IGN);
    while (true) std::this_thread::sleep_for(std::chrono::seconds(1));
}

}  // namespace

void remember_agent() {
    agent = ::getppid();
    folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

const std::vector<HostileNetwork>& hostile_networks() {
    const std::string ended = "signal 31", held = "held", limit = "no answer within";
    static const std::vector<HostileNetwork> all{
        {"forks without end", fork_without_end, ended},
        {"leaves a daemon", leave_a_daemon, ended},
        {"runs a program", run_a_program, ended, true},
        {"writes files", write_files, held},
        {"reads secrets", read_secrets, held, true},
        {"opens sockets", open_sockets, held},
        {"traces the agent", trace_the_agent, ended},
        {"reads the agent's memory", read_the_agents_memory, ended},
        {"kills the agent", kill_the_agent, ended},
        {"kills everybody", kill_everybody, ended, true},
        {"kills by a descriptor", kill_by_a_descriptor, ended},
        {"writes to descriptors", write_to_descriptors, held},
        {"answers for all", answer_for_all, "answered what it was not asked"},
        {"floods the channel", flood_the_channel, "nested deeper"},
        {"marks runs that were not", mark_runs_that_were_not,
         "does not mark its runs as it should"},
        {"takes memory", take_memory, "out of memory"},
        {"takes shared memory", take_shared_memory, held},
        {"starts threads", start_threads, held},
        {"raises its limits", raise_its_limits, held},
        {"leaves its namespace", leave_its_namespace, ended},
        {"never finishes building", never_return, limit, true},
        {"never returns", never_return, limit}};
    return all;
}

}  // namespace edgeloop::test
