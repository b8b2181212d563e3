#include "measuring_process.hpp"

#include "job_process.hpp"
#include "result_json.hpp"
#include "sandbox.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr int child_answer_fd = 3;
constexpr std::size_t max_answer = 1 << 20;
constexpr int poll_ms = 50;
/// The measuring process ends a job in time; this one only when that has not happened.
constexpr double grace_s = 10;

/// The smaller of two limits of which 0 means none.
double tighter(double a, double b) {
    if (a <= 0) return b;
    return b <= 0 ? a : std::min(a, b);
}

}  // namespace

MeasuringProcess::MeasuringProcess(const ProcessOptions& options) : options_(options) {
    EDGELOOP_EXPECT(!options.command.empty(), "a measuring process needs a program");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    start();
}

MeasuringProcess::~MeasuringProcess() {
    try {
        stop();
    } catch (const std::exception& error) {
        log::error("{}", error.what());
    }
}

void MeasuringProcess::start() {
    others_ = children_of_this_process();
    Pipe request = make_pipe(), answer = make_pipe();
    ChildOptions child;
    child.arguments = options_.command;
    child.keep_environment = passed_environment();
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
    if (!child_) return;
    child_->terminate(0);  // the group: it and the process of its job
    child_.reset();
    // What a job has started is this one's child now, also when it has left the group.
    end_all_children(others_);
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
        if (answer.size() > max_answer) return End::died;
        if (const auto line = answer.find('\n'); line != std::string::npos)
            return line + 1 == answer.size() ? End::answered : End::died;
    }
}

MeasuringProcess::End MeasuringProcess::ask(const Json& request, std::string& answer,
                                            double limit_s, const std::function<bool()>& give_up) {
    if (!child_) start();
    const double deadline = steady_seconds() + limit_s + grace_s;
    const End end = send(request.dump() + "\n") ? receive(answer, deadline, give_up) : End::died;
    if (end != End::answered) stop();
    return end;
}

Json MeasuringProcess::limits(double time_limit_s, double memory_limit_mib,
                              const ModelFiles& files) const {
    // It leaves the folder that a name may be relative to.
    const auto absolute = [](const std::string& path) {
        return path.empty() ? path : std::filesystem::absolute(path).string();
    };
    return {{"cores", options_.cores},
            {"weights_folder", absolute(options_.weights_folder)},
            {"model_file", absolute(files.model)},
            {"vectors_file", absolute(files.vectors)},
            {"device_class", options_.device_class},
            {"time_limit_s", time_limit_s},
            {"patience", options_.patience},
            {"memory_limit_mib", memory_limit_mib},
            {"sandbox", options_.sandbox.to_json()},
            {"simulation", options_.simulation.to_json()}};
}

std::optional<Json> MeasuringProcess::sandbox(bool tries, const std::function<bool()>& give_up) {
    constexpr double limit_s = 60;
    const Json request = {{"sandbox_report", tries}, {"limits", limits(limit_s, 0)}};
    std::string answer;
    const End end = ask(request, answer, limit_s, give_up);
    if (end == End::given_up) return std::nullopt;
    if (end != End::answered)
        throw IoError("the measuring process does not start", {},
                      "run 'edgeloop-edge measure' by hand to see why");
    Json report = parse_json(answer, "sandbox");
    if (report.contains("failed"))
        throw IoError("no process of a job can be started", report.at("failed"),
                      "see edge/operating.md, or measure with --sandbox off");
    require_as_set(options_.sandbox, report);
    return report;
}

MeasurementResult MeasuringProcess::measure(const MeasurementJob& job,
                                            const std::function<bool()>& give_up,
                                            const ModelFiles& files) {
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
        {"limits",
         limits(limit_s, tighter(settings.memory_limit_mib, options_.memory_limit_mib), files)}};
    std::string answer;
    const End end = ask(request, answer, limit_s, give_up);
    try {
        if (end == End::answered) return finished(result_from_json(parse_json(answer, "answer")));
    } catch (const ConfigError&) {
        stop();  // who knows what else is wrong with it
        throw;
    }
    // When it died, it was not the process that runs the network: not the network's fault.
    if (end != End::too_long) result.status = Status::lost;
    result.reason = end == End::too_long   ? fmt::format("no answer within {:g} s", limit_s)
                    : end == End::given_up ? "the agent was stopped"
                                           : "the measuring process ended";
    return finished(result);
}

}  // namespace edgeloop
