#include "job_process.hpp"

#include "runtime.hpp"
#include "sandbox.hpp"
#include "system_files.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace edgeloop {
namespace {

/// Where a job's process has its end of the channel, above standard input, output and error.
constexpr int control_fd = 3, marks_fd = 4, file_fd = 5;
/// Exit codes above say that a signal would have ended the process, were it not the first of its
/// namespace: the kernel spares those. As shells do.
constexpr int code_of_signals = 128;

void exit_with_signal(int signal) { ::_exit(code_of_signals + signal); }

/// What asks a process to end ends this one.
void take_signals() {
    struct sigaction action {};
    action.sa_handler = exit_with_signal;
    for (const int signal : {SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGXFSZ, SIGALRM})
        ::sigaction(signal, &action, nullptr);
}

/// Nothing is open but the channel and the file; standard input, output and error lead nowhere.
JobSide keep_only(const JobChannel& channel, int file) {
    // Above where they go, so that none is overwritten before it is copied.
    constexpr int above = 16;
    const auto copy = [](int descriptor) {
        const int copied = ::fcntl(descriptor, F_DUPFD_CLOEXEC, above);
        if (copied < 0) throw IoError("cannot copy a descriptor", std::strerror(errno));
        return copied;
    };
    const int nowhere = copy(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int control = copy(channel.job_control());
    const int marks = copy(channel.job_marks()), model = file < 0 ? nowhere : copy(file);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        ::dup2(nowhere, standard);
    ::dup2(control, control_fd);
    ::dup2(marks, marks_fd);
    ::dup2(model, file_fd);
    close_descriptors_from(file < 0 ? file_fd : file_fd + 1);
    return {control_fd, marks_fd};
}

std::string death_by(int status) {
    const bool by_code = WIFEXITED(status) && WEXITSTATUS(status) > code_of_signals;
    if (!by_code && !WIFSIGNALED(status))
        return fmt::format("the measuring process ended with code {} and no answer",
                           WEXITSTATUS(status));
    const int signal = by_code ? WEXITSTATUS(status) - code_of_signals : WTERMSIG(status);
    const char* const why = signal == SIGKILL  ? ": out of memory?"
                            : signal == SIGSYS ? ": it did what a network in the sandbox may not"
                                               : "";
    return fmt::format("the measuring process was ended by signal {} ({}){}", signal,
                       ::strsignal(signal), why);
}

bool has_children() {
    siginfo_t ended{};
    return ::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

}  // namespace

JobProcess::JobProcess(const SandboxSettings& settings, double time_limit_s, int file,
                       const Body& body)
    : time_limit_s_(time_limit_s), deadline_(steady_seconds() + time_limit_s) {
    start(settings, file, body);
}

JobProcess::~JobProcess() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void JobProcess::start(const SandboxSettings& settings, int file, const Body& body) {
    Pipe number = make_pipe();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const pid_t starter = ::fork();
    if (starter < 0) throw IoError("cannot fork", std::strerror(errno));
    if (starter == 0) {
        // _exit: what this process would do at exit is not its copies' business.
        ::_exit(run_program([&] {
            const std::vector<std::string> namespaces = prepare_for_a_job(settings);
            const pid_t job = ::fork();
            if (job < 0) throw IoError("cannot fork", std::strerror(errno));
            if (job > 0)
                return write_all(number.write.get(),
                                 {reinterpret_cast<const char*>(&job), sizeof job})
                           ? 0
                           : 1;
            const JobSide side = keep_only(channel_, file);
            take_signals();
            // From when the starter has gone on this is a child of who measures.
            if (side.next_command()) body(side, namespaces);
            ::_exit(0);
        }));
    }
    number.write.close();
    std::string bytes;
    (void)read_all(number.read.get(), bytes);
    while (::waitpid(starter, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (bytes.size() != sizeof pid_) throw IoError("cannot start the process of a job");
    std::memcpy(&pid_, bytes.data(), sizeof pid_);
    channel_.close_job_end();
    (void)channel_.send({{"do", "begin"}});
}

Json JobProcess::ask(Json command) {
    // Numbers that nobody can know before they are sent: an answer is not ready before its
    // question.
    std::random_device random;
    const std::uint64_t number = std::uint64_t{random()} << 32U | random();
    command["number"] = number;
    Json answer;
    const auto received =
        channel_.send(command) ? channel_.receive(answer, deadline_) : JobChannel::Received::gone;
    if (received == JobChannel::Received::gone) throw ConfigError(cause_of_death());
    if (received == JobChannel::Received::nothing_in_time)
        throw ConfigError(fmt::format("no answer within {:g} s", time_limit_s_));
    if (const auto echo = answer.find("number"); echo == answer.end() || *echo != number)
        throw ConfigError("the process of the job answered what it was not asked");
    const auto failed = answer.find("failed");
    if (failed == answer.end()) return answer;
    constexpr std::size_t longest = 1000;
    const std::string reason =
        failed->is_string() ? printable(beginning(failed->get_ref<const std::string&>(), longest))
                            : "no reason";
    if (answer.contains("network")) throw NetworkError(reason);
    throw ConfigError(reason);
}

std::string JobProcess::cause_of_death() {
    constexpr double patience_s = 1;
    const double deadline = steady_seconds() + patience_s;
    BackOff back_off;
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(pid_, &status, WNOHANG)) == 0 && steady_seconds() < deadline)
        back_off.wait();
    if (ended != pid_) return "the process of the job has left its channel";
    pid_ = -1;
    return death_by(status);
}

double JobProcess::cpu_seconds() {
    clockid_t clock{};
    timespec used{};
    if (pid_ < 0 || ::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
        throw ConfigError(cause_of_death());
    return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

long JobProcess::involuntary_switches() const {
    const SystemFiles system;
    double sum = 0;
    for (const std::string& thread : system.entries(fmt::format("/proc/{}/task", pid_), ""))
        sum += std::strtod(
            system.field(thread + "/status", "nonvoluntary_ctxt_switches").value_or("0").c_str(),
            nullptr);
    return static_cast<long>(sum);
}

double JobProcess::memory_mib(const std::string& kind) const {
    return SystemFiles().memory_mib(kind, pid_);
}

std::vector<pid_t> children_of_this_process() {
    const SystemFiles system;
    const std::string own = std::to_string(::getpid());
    std::vector<pid_t> found;
    for (const std::string& folder : system.entries("/proc", ""))
        if (const auto number = number_in<pid_t>(folder.substr(folder.rfind('/') + 1)))
            if (system.field(folder + "/status", "PPid").value_or("") == own)
                found.push_back(*number);
    return found;
}

void end_all_children(const std::vector<pid_t>& but) {
    BackOff back_off;
    constexpr double patience_s = 10;
    const double deadline = steady_seconds() + patience_s;
    while (has_children()) {
        std::vector<pid_t> left = children_of_this_process();
        left.erase(std::remove_if(left.begin(), left.end(),
                                  [&](pid_t child) {
                                      return std::find(but.begin(), but.end(), child) != but.end();
                                  }),
                   left.end());
        if (left.empty() && !but.empty()) return;
        for (const pid_t child : left) ::kill(child, SIGKILL);
        for (const pid_t child : left) ::waitpid(child, nullptr, WNOHANG);
        if (but.empty()) ::waitpid(-1, nullptr, WNOHANG);  // where /proc does not show it
        if (steady_seconds() > deadline)
            throw IoError("a process that a job has started does not end");
        back_off.wait();
    }
}

}  // namespace edgeloop
