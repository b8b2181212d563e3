#include "agent.hpp"

#include "harness.hpp"

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/link/measuring_turns.hpp"

#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr int max_lost_in_a_row = 5;  ///< measuring processes that ended
constexpr double look_s = 0.2;        ///< between two looks at the stop signal while idle
constexpr double max_wait_s = 60;     ///< for trainings to reach the end of a step

std::string letters_of(std::string text) {
    for (char& c : text)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    return text;
}

/// One agent of a user per name and machine: two would disturb each other's measurements and fight
/// over the name. Held as long as it lives; released by the kernel however the process ends.
class NameLock {
  public:
    /// @throws ConfigError  another agent has it.
    explicit NameLock(const std::string& name)
        : path_(fmt::format("{}/edge-{}-{}.lock", own_lock_folder(), letters_of(host_name()),
                            letters_of(name))),
          lock_(lock_file(path_)) {
        if (lock_.get() < 0)
            throw ConfigError(fmt::format("an agent called '{}' runs here already", name),
                              "two agents would disturb each other's measurements",
                              "stop it, or give this one another --name");
    }
    ~NameLock() { ::unlink(path_.c_str()); }
    NameLock(const NameLock&) = delete;
    NameLock& operator=(const NameLock&) = delete;

  private:
    std::string path_;  ///< the home may be shared by machines, so it has the name of this one
    Descriptor lock_;
};

/// Empty for a job of which whoever measures it says what is wrong.
std::string runtime_of(const MeasurementJob& job) {
    try {
        return settings_of(job).runtime;
    } catch (const ConfigError&) {
        return {};
    }
}

/// Measures a job, whatever it holds: an exception is a result with a reason, because the next job
/// is not to pay for it.
MeasurementResult measure_guarded(MeasuringProcess& process, const MeasurementJob& job,
                                  const std::function<bool()>& stop, const ModelFiles& files = {}) {
    try {
        return process.measure(job, stop, files);
    } catch (const std::exception& error) {
        return {{0, Status::lost, {}, error.what()}};
    }
}

/// The same of a job of a session, which a device of one runtime may have to refuse.
MeasurementResult measure_taken(MeasuringProcess& process, const std::string& only_runtime,
                                const DriftGuard::Job& job, const std::function<bool()>& stop) {
    const std::string asked = runtime_of(job.job);
    if (job.id == 0 || only_runtime.empty() || asked == only_runtime)
        return measure_guarded(process, job.job, stop, job.files);
    return {{0,
             Status::failed,
             {},
             fmt::format("this device has the runtime {} alone, and the job asks for {}",
                         only_runtime, asked)}};
}

AgentOptions with_sandbox(AgentOptions link, const Json& sandbox) {
    Json record = parse_json(link.record, "device record");
    record["sandbox"] = sandbox;
    link.record = record.dump();
    return link;
}

void report(std::uint64_t id, const MeasurementJob& job, const MeasurementResult& result) {
    if (result.status != Status::completed) return log::warning("{:016x}: {}", id, result.reason);
    const bool simulated = is_simulated(runtime_of(job));
    const std::string name =
        simulated ? "latency_us" : latency_name(settings_of(job).batches.front()) + "_ms";
    const auto latency = result.metrics.find(name);
    if (latency == result.metrics.end()) return log::warning("{:016x}: no {}", id, name);
    log::info("{} {:016x}: {:.3f} {} in {:.1f} s{}", simulated ? "simulated" : "measured", id,
              latency->second, simulated ? "us" : "ms", result.seconds,
              measured_validly(result.metrics) ? "" : ", not valid");
}

}  // namespace

void serve(const ServeOptions& options) {
    std::optional<NameLock> lock;
    if (options.parent == 0) lock.emplace(options.link.name);  // a search's own agent has its own
    const auto stop = [&] {
        return stop_signal() != 0 || (options.parent != 0 && ::getppid() != options.parent);
    };
    MeasuringProcess process(options.process);
    const std::optional<Json> sandbox = process.sandbox(false, stop);
    if (!sandbox) return;
    if (!sandbox->at("strong").get<bool>())
        log::warning("networks could reach more than they need: {}", sandbox->dump());
    AgentSession session(with_sandbox(options.link, *sandbox));
    std::optional<MeasuringTurns> turns;
    if (!options.turns_file.empty()) turns.emplace(options.turns_file);
    const auto measure = [&](const DriftGuard::Job& job) {
        if (job.id != 0) session.resume(job.id);
        std::optional<MeasuringTurn> turn;
        if (turns) turn.emplace(*turns, max_wait_s, stop);
        if (turn && !turn->alone()) log::warning("trainings did not pause: measured beside them");
        MeasurementResult result = measure_taken(process, options.runtime, job, stop);
        if (job.id != 0) session.withhold(job.id);
        return result;
    };
    const auto pause = [&](double seconds) {
        const double end = steady_seconds() + seconds;
        while (!stop() && steady_seconds() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return !stop();
    };
    DriftGuard guard(options.drift, measure, pause);
    const auto answer = [&](const std::vector<DriftGuard::Settled>& settled) {
        for (const auto& [id, result] : settled) session.finish(id, result);
    };
    int lost = 0;
    while (!stop()) {
        if (guard.due(false)) answer(guard.settle());
        auto held = session.next(look_s);
        if (!held) {
            if (guard.due(true)) answer(guard.settle());
            continue;
        }
        const bool guarded = !is_simulated(runtime_of(held->job));  // else nothing can drift
        if (guarded) guard.begin();
        const MeasurementResult result = measure(*held);
        if (result.status == Status::lost && stop()) break;  // Shutdown gives the job back
        report(held->id, held->job, result);
        if (!guarded) answer({{held->id, result}});
        if (const auto settled = guarded ? guard.add(*held, result) : std::nullopt)
            answer({*settled});
        lost = result.status == Status::lost ? lost + 1 : 0;
        if (lost < max_lost_in_a_row) continue;
        // A network that every device measures tells whether the jobs were to blame.
        const MeasurementResult check = measure_guarded(process, reference_job(), stop);
        if (check.status != Status::completed)
            throw IoError("measuring processes keep ending", check.reason,
                          "run 'edgeloop-edge measure' by hand to see why");
        lost = 0;
    }
    answer(guard.release());
}

}  // namespace edgeloop
