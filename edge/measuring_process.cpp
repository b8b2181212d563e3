#include "measuring_process.hpp"

#include "measuring_child.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace edgeloop {
namespace {

constexpr int child_answer_fd = 3;
constexpr std::size_t largest_answer = 1 << 20;
constexpr int poll_ms = 50;

struct Pipe {
    int read = -1, write = -1;
};

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw IoError("cannot make a pipe", std::strerror(errno));
    return {ends[0], ends[1]};
}

void close_if_open(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
}

/// The smaller of two limits of which 0 means none.
double tighter(double a, double b) {
    if (a <= 0) return b;
    return b <= 0 ? a : std::min(a, b);
}

/// This process's environment with a single BLAS thread: OpenBLAS starts its threads when it is
/// loaded, before a job says how many it wants.
std::vector<std::string> child_environment() {
    const std::string name = "OPENBLAS_NUM_THREADS=";
    std::vector<std::string> variables{name + "1"};
    for (char** entry = environ; *entry != nullptr; ++entry)
        if (std::string_view(*entry).rfind(name, 0) != 0) variables.emplace_back(*entry);
    return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

MeasuringProcess::MeasuringProcess(const ProcessOptions& options) : options_(options) {
    EDGELOOP_EXPECT(!options.command.empty(), "a measuring process needs a program");
    start();
}

MeasuringProcess::~MeasuringProcess() { stop(); }

void MeasuringProcess::start() {
    Pipe request = make_pipe(), answer = make_pipe();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, request.read, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, answer.write, child_answer_fd);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&defaults, signal);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);  // a Ctrl-C is for the agent, which ends its child
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);

    std::vector<std::string> arguments = options_.command, environment = child_environment();
    const int code = ::posix_spawn(&pid_, arguments[0].c_str(), &actions, &attributes,
                                   pointers(arguments).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close_if_open(request.read);
    close_if_open(answer.write);
    request_fd_ = request.write;
    answer_fd_ = answer.read;
    if (code != 0) {
        pid_ = -1;
        close_if_open(request_fd_);
        close_if_open(answer_fd_);
        throw IoError(fmt::format("cannot start '{}'", options_.command[0]), std::strerror(code));
    }
}

void MeasuringProcess::stop() {
    close_if_open(request_fd_);
    close_if_open(answer_fd_);
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);  // the group: it and its fork
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

bool MeasuringProcess::send(std::string_view request) {
    // A child that is dead already must not end the agent with SIGPIPE.
    struct sigaction ignore {
    }, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before);
    while (!request.empty()) {
        const ssize_t written = ::write(request_fd_, request.data(), request.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        request.remove_prefix(static_cast<std::size_t>(written));
    }
    ::sigaction(SIGPIPE, &before, nullptr);
    return request.empty();
}

MeasuringProcess::End MeasuringProcess::receive(std::string& answer, double deadline,
                                                const std::function<bool()>& give_up) {
    char buffer[1 << 14];
    while (true) {
        if (give_up()) return End::given_up;
        if (steady_seconds() > deadline) return End::too_long;
        pollfd wait{answer_fd_, POLLIN, 0};
        if (::poll(&wait, 1, poll_ms) <= 0) continue;
        const ssize_t got = ::read(answer_fd_, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return End::died;
        answer.append(buffer, static_cast<std::size_t>(got));
        if (answer.back() == '\n') return End::answered;
        if (answer.size() > largest_answer) return End::died;
    }
}

MeasurementResult MeasuringProcess::measure(const MeasurementJob& job,
                                            const std::function<bool()>& give_up) {
    const double start_time = steady_seconds();
    MeasurementResult result;
    result.status = Status::failed;
    const auto finished = [&](MeasurementResult done) {
        done.seconds = steady_seconds() - start_time;
        return done;
    };
    MeasurementSettings settings;
    try {
        settings = MeasurementSettings::from_json(parse_json(job.settings, "settings"), "settings");
    } catch (const ConfigError& error) {
        result.reason = error.what();
        return finished(result);
    }
    const double limit_s = tighter(settings.time_limit_s, options_.time_limit_s);
    const Json request = {
        {"spec", job.spec},
        {"settings", job.settings},
        {"device_class", job.device_class},
        {"cores", options_.cores},
        {"weights_folder", options_.weights_folder},
        {"time_limit_s", limit_s},
        {"patience", options_.patience},
        {"memory_limit_mib", tighter(settings.memory_limit_mib, options_.memory_limit_mib)}};

    if (pid_ < 0) start();
    std::string answer;
    const End end =
        send(request.dump() + "\n") ? receive(answer, start_time + limit_s, give_up) : End::died;
    if (end != End::answered) stop();
    switch (end) {
        case End::given_up:
            result.status = Status::lost;
            result.reason = "the agent was stopped";
            return finished(result);
        case End::too_long:
            result.reason = fmt::format("no answer within {:g} s", limit_s);
            return finished(result);
        case End::died:
            result.status = Status::lost;  // not the fork that runs the network: not its fault
            result.reason = "the measuring process ended";
            return finished(result);
        case End::answered:
            break;
    }
    return finished(result_from_json(parse_json(answer, "answer")));
}

}  // namespace edgeloop
