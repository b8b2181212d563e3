#include "measuring_child.hpp"

#include "core_witness.hpp"
#include "system_files.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/preprocessing/clip_maker.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr double bytes_per_mib = 1024.0 * 1024.0;
/// A network computes all the time; with less processor time than this it shared its cores.
constexpr double own_share = 0.9;
/// Time to meter without the network: of the time budget, and its limits, as power is read 100
/// times a second.
constexpr double idle_share = 0.1, least_idle_s = 0.1, most_idle_s = 0.5;
constexpr double share_of_limit = 0.7;  ///< of the time limit, for the timing of all batch sizes

void hand_over(int descriptor, std::string_view text) {
    if (!write_all(descriptor, text))
        throw IoError("cannot hand over the result", std::strerror(errno));
}

/// Lets this process allocate `mib` more than it has. RLIMIT_DATA counts what a network allocates;
/// RLIMIT_AS would also count LibTorch's mappings.
void limit_memory(double mib) {
    if (mib <= 0) return;
    const auto bytes =
        static_cast<rlim_t>((SystemFiles().memory_mib("VmData") + mib) * bytes_per_mib);
    const rlimit limit{bytes, bytes};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0)
        throw IoError("cannot limit the memory of the measuring process", std::strerror(errno));
}

struct Usage {
    double cpu_s;
    long involuntary_switches;
};

Usage usage() {
    rusage now{};
    ::getrusage(RUSAGE_SELF, &now);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return {seconds(now.ru_utime) + seconds(now.ru_stime), now.ru_nivcsw};
}

/// How fast the processor is at this moment, as the harness asks for it.
class SpeedProbe {
  public:
    explicit SpeedProbe(const SystemFiles& system) : virtual_(is_virtual_machine(system)) {}

    /// The clock of a machine of one's own is the device's; that of a virtual one is what the
    /// others on its host leave.
    [[nodiscard]] double speed() {
        const CoreWitness::Look look = witness_.look();
        clocks_mhz_.push_back(look.clock_mhz);
        if (!look.alone) return 0;
        return virtual_ ? look.clock_mhz : 1;
    }
    /// The clock since the last call, which a virtual machine does not show in /sys.
    [[nodiscard]] Json clocks() {
        const Summary summary = summarise(std::exchange(clocks_mhz_, {}));
        return {{"looks", summary.n},
                {"lowest", summary.min_ms},
                {"median", summary.median_ms},
                {"p90", summary.p90_ms}};
    }

  private:
    bool virtual_;
    CoreWitness witness_;
    std::vector<double> clocks_mhz_;
};

/// What makes the clip of a runtime's input, as a deployed program would; empty when it sees none.
std::function<void()> preprocessing(Runtime& runtime, const Json& spec,
                                    const MeasurementSettings& settings) {
    if (runtime.clips() == nullptr) return {};
    const ClipShape clip = network_of(spec).clip;
    const auto maker =
        std::make_shared<ClipMaker>(settings.frame_height, settings.frame_width, clip.frames,
                                    clip.side, Normalisation{clip.mean, clip.deviation});
    // Any picture takes the same time; one of zeros might not.
    std::vector<std::uint8_t> camera(static_cast<std::size_t>(clip.frames) *
                                     static_cast<std::size_t>(settings.frame_height) *
                                     static_cast<std::size_t>(settings.frame_width));
    for (std::size_t i = 0; i < camera.size(); ++i)
        camera[i] = static_cast<std::uint8_t>(i * 2654435761U >> 24U);
    return [&runtime, maker, camera = std::move(camera)] {
        maker->make(camera.data(), runtime.clips());
        runtime.take_clips();
    };
}

/// What one measurement is made with.
struct Bench {
    Runtime& runtime;
    const MeasurementSettings& settings;
    TimingPlan plan;
    SpeedProbe* probe;  ///< null: cores cannot be shared
    const RunningMeters& meters;
    RunningMeters::Readings idle;  ///< of each meter in a second without the network
};

/// The record of one batch size, without the clocks.
Json record_of(int batch, const Timing& timing, double wall_s, const Usage& used,
               const std::vector<std::string>& not_valid_because) {
    Json record = {{"batch", batch},
                   {"timed_runs", timing.runs_ms.size()},
                   {"samples", timing.undisturbed.size()},
                   {"warm_up_runs", timing.warm_up_runs},
                   {"warm_up_s", timing.warm_up_s},
                   {"warmed_up", timing.warmed_up},
                   {"wall_s", wall_s},
                   {"cpu_s", used.cpu_s},
                   {"involuntary_switches", used.involuntary_switches}};
    if (const auto interval = median_interval(timing.samples_ms())) {
        record["independent_samples"] = interval->independent;
        record["watched_too_short"] = interval->watched_too_short;
    }
    if (!not_valid_because.empty()) record["not_valid_because"] = not_valid_because;
    return record;
}

/// Times one batch size; adds its metrics and returns what goes into the record.
/// @param prepare  what comes before each inference; empty: nothing.
Json measure_batch(const Bench& bench, int batch, const std::function<void()>& prepare,
                   Metrics& metrics) {
    std::function<double()> speed;
    if (bench.probe != nullptr) speed = [&bench] { return bench.probe->speed(); };
    const Usage before = usage();
    const RunningMeters::Readings metered_before = bench.meters.read();
    const double start = steady_seconds();
    const Timing timing = time_runs({[&bench] { bench.runtime.run(); }, prepare}, bench.plan,
                                    steady_nanoseconds, speed);
    const double wall_s = steady_seconds() - start;
    const RunningMeters::Readings metered_after = bench.meters.read();
    const Usage after = usage();
    const Usage used{after.cpu_s - before.cpu_s,
                     after.involuntary_switches - before.involuntary_switches};

    std::vector<std::string> reasons = timing.shortcomings;
    if (bench.settings.processor == "cpu" && used.cpu_s < own_share * wall_s)
        reasons.push_back(fmt::format("the process had {:.0f} % of a processor, and needs {:.0f} %",
                                      100 * used.cpu_s / wall_s, 100 * own_share));
    add_latency_metrics(timing, reasons.empty(), batch, metrics);
    Json record = record_of(batch, timing, wall_s, used, reasons);
    const auto runs = static_cast<double>(timing.runs_ms.size() + timing.warm_up_runs);
    if (batch == 1)
        bench.meters.add_metrics({metered_before, metered_after, wall_s, runs, bench.idle}, metrics,
                                 record);
    if (bench.probe != nullptr) {
        const double share = timing.disturbed_seconds / timing.seconds;
        metrics[latency_name(batch) + "_disturbed"] = share;
        record["disturbed"] = share;
        record["clock_mhz"] = bench.probe->clocks();
    }
    return record;
}

/// The settings with weights as a path.
MeasurementSettings with_weights_path(MeasurementSettings settings, const std::string& folder) {
    if (settings.weights.empty()) return settings;
    if (folder.empty())
        throw ConfigError("this device keeps no weights", {},
                          "start the agent with --weights-folder");
    settings.weights = folder + "/" + settings.weights;
    return settings;
}

void measure_into(MeasurementResult& result, const Json& spec, const MeasurementSettings& settings,
                  const RuntimeFactory& factory, const MeasuringLimits& limits,
                  const std::vector<Meter>& known_meters) {
    const SystemFiles system;
    const double base_mib = system.memory_mib("VmRSS");
    const std::unique_ptr<Runtime> runtime =
        factory(spec, with_weights_path(settings, limits.weights_folder));
    const RunningMeters meters(system, known_meters);
    Json record = {{"before", system.conditions()}, {"settings", settings.to_json()}};
    std::optional<SpeedProbe> probe;
    if (settings.processor == "cpu" && cores_may_be_shared(system)) probe.emplace(system);
    Bench bench{*runtime, settings, timing_plan(settings, limits), probe ? &*probe : nullptr,
                meters,   {}};
    for (const int batch : settings.batches) {
        runtime->prepare(batch);
        std::function<void()> prepare;
        if (batch == 1) {
            prepare = preprocessing(*runtime, spec, settings);
            bench.idle = meters.idle(
                std::clamp(idle_share * settings.time_budget_s, least_idle_s, most_idle_s));
        }
        record["batches"].push_back(measure_batch(bench, batch, prepare, result.metrics));
    }
    record["after"] = system.conditions();
    result.metrics.merge(runtime->facts());
    result.metrics["peak_memory_mib"] = system.memory_mib("VmHWM");
    result.metrics["base_memory_mib"] = base_mib;
    result.record = record.dump();
}

}  // namespace

TimingPlan timing_plan(const MeasurementSettings& settings, const MeasuringLimits& limits) {
    TimingPlan plan;
    plan.time_budget_s = settings.time_budget_s;
    plan.min_samples = static_cast<std::size_t>(settings.min_samples);
    plan.spread = settings.spread;
    // The budget has the warm-up in it, which may take a quarter.
    plan.min_seconds = std::min(settings.min_seconds, 0.5 * settings.time_budget_s);
    // However patient, the job must be answered before its time limit ends it.
    plan.max_s = std::min(
        limits.patience * settings.time_budget_s,
        share_of_limit * limits.time_limit_s / static_cast<double>(settings.batches.size()));
    return plan;
}

MeasurementResult measure(const MeasurementJob& job, const RuntimeFactory& factory,
                          const MeasuringLimits& limits, const std::vector<Meter>& meters) {
    MeasurementResult result;
    const double start = steady_seconds();
    const auto failed = [&](const std::string& reason, FailureOf whose = FailureOf::device) {
        result.status = Status::failed;
        result.failure_of = whose;
        result.reason = reason.substr(0, reason.find('\n'));
        result.metrics.clear();
    };
    try {
        const MeasurementSettings settings = settings_of(job);
        measure_into(result, parse_json(job.spec, "spec"), settings, factory, limits, meters);
    } catch (const std::bad_alloc&) {
        failed("out of memory on the device");
    } catch (const NetworkError& error) {
        failed(error.what(), FailureOf::network);
    } catch (const std::exception& error) {
        failed(error.what());
    }
    result.seconds = steady_seconds() - start;
    return result;
}

namespace {

/// In the forked process: the whole job.
void answer_request(const std::string& text, const RuntimeFactory& factory,
                    const RuntimePreparation& prepare, int answer_fd) {
    const Json request = parse_json(text, "request");
    const MeasurementJob job{request.at("spec"), request.at("settings"),
                             request.at("device_class")};
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    MeasurementResult result;
    try {
        const auto cores = request.at("cores").get<std::vector<int>>();
        if (!cores.empty() && !pin_to_cpus(cores))
            throw ConfigError("cannot pin to the given cores", std::strerror(errno),
                              "choose from those that nproc counts, from 0");
        prepare(settings_of(job));
        limit_memory(request.at("memory_limit_mib"));
        result = measure(
            job, factory,
            {request.at("weights_folder"), request.at("time_limit_s"), request.at("patience")});
    } catch (const Error& error) {
        // An answer, so that the reason is said once and by the one who asked.
        result = {{0, Status::failed, {}, error.what()}};
    }
    hand_over(answer_fd, result_to_json(result).dump());
}

std::string cause_of_death(int wait_status) {
    if (!WIFSIGNALED(wait_status))
        return fmt::format("the measuring process ended with code {} and no answer",
                           WEXITSTATUS(wait_status));
    const int signal = WTERMSIG(wait_status);
    return fmt::format("the measuring process was ended by signal {} ({}){}", signal,
                       ::strsignal(signal), signal == SIGKILL ? ": out of memory?" : "");
}

/// Forks, measures there, and gives the answer or the cause of death as a line of JSON.
std::string run_forked(const std::string& request, const RuntimeFactory& factory,
                       const RuntimePreparation& prepare) {
    Pipe pipe = make_pipe();
    const pid_t child = ::fork();
    if (child < 0) throw IoError("cannot fork", std::strerror(errno));
    if (child == 0) {
        pipe.read.close();
        // _exit: what the parent would do at exit is not this process's business.
        ::_exit(run_program([&] {
            answer_request(request, factory, prepare, pipe.write.get());
            return 0;
        }));
    }
    pipe.write.close();
    std::string answer;
    (void)read_all(pipe.read.get(), answer);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status == 0 && !answer.empty()) return answer;
    return result_to_json({{0, Status::failed, {}, cause_of_death(status)}}).dump();
}

}  // namespace

int measuring_process_main(const RuntimeFactory& factory, const RuntimePreparation& prepare,
                           int answer_fd) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlive the agent
    for (std::string request; std::getline(std::cin, request) && !std::cin.eof();)
        hand_over(answer_fd, run_forked(request, factory, prepare) + "\n");
    return 0;
}

Json result_to_json(const MeasurementResult& result) {
    return {{"status", result.status == Status::completed ? "completed" : "failed"},
            {"metrics", result.metrics},
            {"reason", result.reason},
            {"failure_of", result.failure_of == FailureOf::network ? "network" : "device"},
            {"seconds", result.seconds},
            {"device", result.device},
            {"record", result.record.empty() ? Json::object() : Json::parse(result.record)}};
}

MeasurementResult result_from_json(const Json& json) {
    try {
        MeasurementResult result;
        result.status = json.at("status") == "completed" ? Status::completed : Status::failed;
        result.metrics = json.at("metrics").get<Metrics>();
        result.reason = json.at("reason");
        if (json.at("failure_of") == "network") result.failure_of = FailureOf::network;
        result.seconds = json.at("seconds");
        result.device = json.at("device");
        result.record = json.at("record").dump();
        return result;
    } catch (const Json::exception& error) {
        throw ConfigError("not a measurement result", error.what());
    }
}

}  // namespace edgeloop
