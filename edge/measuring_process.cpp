#include "measuring_process.hpp"

#include "measuring_child.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr int child_answer_fd = 3;
constexpr std::size_t max_answer = 1 << 20;
constexpr int poll_ms = 50;

/// The smaller of two limits of which 0 means none.
double tighter(double a, double b) {
    if (a <= 0) return b;
    return b <= 0 ? a : std::min(a, b);
}

}  // namespace

MeasuringProcess::MeasuringProcess(const ProcessOptions& options) : options_(options) {
    EDGELOOP_EXPECT(!options.command.empty(), "a measuring process needs a program");
    start();
}

MeasuringProcess::~MeasuringProcess() { stop(); }

void MeasuringProcess::start() {
    Pipe request = make_pipe(), answer = make_pipe();
    ChildOptions child;
    child.arguments = options_.command;
    // A single BLAS thread: OpenBLAS starts its threads when it is loaded, before a job says how
    // many it wants.
    child.drop_environment = {"OPENBLAS_NUM_THREADS="};
    child.add_environment = {"OPENBLAS_NUM_THREADS=1"};
    child.descriptors = {{request.read.get(), STDIN_FILENO},
                         {STDERR_FILENO, STDOUT_FILENO},
                         {answer.write.get(), child_answer_fd}};
    child_ = std::make_unique<ChildProcess>(child);
    request_ = std::move(request.write);
    answer_ = std::move(answer.read);
}

void MeasuringProcess::stop() {
    if (child_) child_->terminate(0);  // the group: it and its fork
    child_.reset();
}

bool MeasuringProcess::send(std::string_view request) {
    // A child that is dead already must not end the agent with SIGPIPE.
    struct sigaction ignore {
    }, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before);
    const bool sent = write_all(request_.get(), request);
    ::sigaction(SIGPIPE, &before, nullptr);
    return sent;
}

MeasuringProcess::End MeasuringProcess::receive(std::string& answer, double deadline,
                                                const std::function<bool()>& give_up) {
    char buffer[1 << 14];
    while (true) {
        if (give_up()) return End::given_up;
        if (steady_seconds() > deadline) return End::too_long;
        pollfd wait{answer_.get(), POLLIN, 0};
        if (::poll(&wait, 1, poll_ms) <= 0) continue;
        const ssize_t got = ::read(answer_.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return End::died;
        answer.append(buffer, static_cast<std::size_t>(got));
        if (answer.back() == '\n') return End::answered;
        if (answer.size() > max_answer) return End::died;
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
        settings = settings_of(job);
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

    if (!child_) start();
    std::string answer;
    const End end =
        send(request.dump() + "\n") ? receive(answer, start_time + limit_s, give_up) : End::died;
    if (end == End::answered) return finished(result_from_json(parse_json(answer, "answer")));
    stop();
    // When it died, it was not the fork that runs the network: not the network's fault.
    if (end != End::too_long) result.status = Status::lost;
    result.reason = end == End::too_long   ? fmt::format("no answer within {:g} s", limit_s)
                    : end == End::given_up ? "the agent was stopped"
                                           : "the measuring process ended";
    return finished(result);
}

}  // namespace edgeloop
