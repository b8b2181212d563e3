#include "measuring.hpp"

#include "core_witness.hpp"
#include "job_process.hpp"
#include "job_worker.hpp"
#include "model_check.hpp"
#include "model_file.hpp"
#include "remote_runner.hpp"
#include "sandbox_attempts.hpp"
#include "system_files.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// A network computes all the time; with less processor time than this it shared its cores, and
/// with more it has used more threads than it was given.
constexpr double own_share = 0.9, max_of_threads = 1.2;
/// Time to meter without the network: of the time budget, and its limits, as power is read 100
/// times a second.
constexpr double idle_share = 0.1, least_idle_s = 0.1, max_idle_s = 0.5;
constexpr double share_of_limit = 0.7;  ///< of the time limit, for the timing of all batch sizes
/// A stretch ends soon enough for the stop rule, which it cannot be asked within.
constexpr double max_stretch_s = 0.1, stretch_share = 0.05;
/// What is not the network may take so much longer than without it, when caches are cold.
constexpr double longer = 2, longer_ms = 0.02;

/// What one measurement is made with.
struct Bench {
    JobProcess& process;
    const MeasurementSettings& settings;
    TimingPlan plan;
    Rehearsal reference;
    bool looks = false;         ///< cores can be shared
    bool clock_varies = false;  ///< by what neighbours leave
    const RunningMeters& meters;
    RunningMeters::Readings idle = {};  ///< of each meter in a second without the network
};

struct Usage {
    double cpu_s;
    long involuntary_switches;
};

Usage usage(JobProcess& process) { return {process.cpu_seconds(), process.involuntary_switches()}; }

/// What speaks against taking all the rest for the network's time: a network could compute where it
/// is not timed.
void add_doubts(const Bench& bench, const RemoteRunner& runner, const Timing& timing,
                const Usage& used, std::vector<std::string>& reasons) {
    if (bench.settings.processor != "cpu") return;
    const auto check = [&](const char* what, std::vector<double> took_ms, double without_ms) {
        if (took_ms.empty()) return;
        const double middle = median(std::move(took_ms));
        if (middle > longer * without_ms + longer_ms)
            reasons.push_back(fmt::format("{} took {:.3f} ms, and {:.3f} ms without the network",
                                          what, middle, without_ms));
    };
    check("looking at the core", runner.looks_ms(), bench.reference.look_ms);
    check("preprocessing", timing.prepared_samples_ms(), bench.reference.prepared_ms.value_or(0));
    const double share = used.cpu_s / runner.seconds();
    if (share > max_of_threads * bench.settings.threads)
        reasons.push_back(fmt::format("the process used {:.1f} processors, and was given {}", share,
                                      bench.settings.threads));
    if (share < own_share)
        reasons.push_back(fmt::format("the process had {:.0f} % of a processor, and needs {:.0f} %",
                                      100 * share, 100 * own_share));
}

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

/// The clock in the looks of one batch size, which a virtual machine does not show in /sys.
Json clocks_of(const std::vector<double>& mhz) {
    if (mhz.empty()) return nullptr;
    const Summary summary = summarise(mhz);
    return {{"looks", summary.n},
            {"lowest", summary.min_ms},
            {"median", summary.median_ms},
            {"p90", summary.p90_ms}};
}

/// Times one batch size; adds its metrics and returns what goes into the record.
Json measure_batch(const Bench& bench, int batch, bool prepares, Metrics& metrics) {
    const Usage before = usage(bench.process);
    const RunningMeters::Readings metered_before = bench.meters.read();
    const double start = steady_seconds();
    RemoteRunner runner(bench.process, bench.reference,
                        {std::min(max_stretch_s, stretch_share * bench.settings.time_budget_s),
                         prepares, bench.clock_varies, bench.looks});
    const Timing timing = time_runs(runner, bench.plan);
    const double wall_s = steady_seconds() - start;
    const RunningMeters::Readings metered_after = bench.meters.read();
    const Usage after = usage(bench.process);
    const Usage used{after.cpu_s - before.cpu_s,
                     after.involuntary_switches - before.involuntary_switches};

    std::vector<std::string> reasons = timing.shortcomings;
    add_doubts(bench, runner, timing, used, reasons);
    add_latency_metrics(timing, reasons.empty(), batch, metrics);
    Json record = record_of(batch, timing, wall_s, used, reasons);
    if (batch == 1)
        bench.meters.add_metrics(
            {metered_before, metered_after, wall_s, static_cast<double>(runner.runs()), bench.idle},
            metrics, record);
    if (bench.looks) {
        const double share = timing.disturbed_seconds / timing.seconds;
        metrics[latency_name(batch) + "_disturbed"] = share;
        record["disturbed"] = share;
        record["clock_mhz"] = clocks_of(runner.clocks_mhz());
    }
    return record;
}

/// Of what the process says about its network the numbers that it alone knows.
void add_facts(const Json& facts, Metrics& metrics) {
    for (const char* const name : {"parameters", "model_size_mib"}) {
        const auto found = facts.find(name);
        if (found == facts.end() || !found->is_number()) continue;
        const auto value = found->get<double>();
        if (std::isfinite(value) && value >= 0) metrics[name] = value;
    }
}

/// A copy of the weights that a job names; none when it names none.
Descriptor weights_of(const MeasurementSettings& settings, const std::string& folder) {
    if (settings.weights.empty()) return {};
    if (folder.empty())
        throw ConfigError("this device keeps no weights", {},
                          "start the agent with --weights-folder");
    return sealed_copy(folder + "/" + settings.weights);
}

void measure_all(JobProcess& process, const MeasurementSettings& settings,
                 const MeasuringLimits& limits, const std::vector<Meter>& known_meters,
                 const ModelUnderTest* model, MeasurementResult& result) {
    const SystemFiles system;
    const Json sandbox = process.ask({{"do", "enter"}}).at("sandbox");
    require_as_set(limits.sandbox, sandbox);
    const double base_mib = process.memory_mib("VmRSS");
    const Rehearsal reference = rehearse(process);
    double start = steady_seconds();
    (void)process.ask({{"do", "build"}});
    double build_s = steady_seconds() - start;

    const RunningMeters meters(system, known_meters);
    Json record = {{"before", system.conditions()},
                   {"settings", settings.to_json()},
                   {"sandbox", sandbox},
                   {"mark_us", 1e3 * reference.mark_ms},
                   {"clock", process.channel().is_stamped() ? "kernel" : "its own"}};
    Bench bench{process,
                settings,
                timing_plan(settings, limits),
                reference,
                settings.processor == "cpu" && cores_may_be_shared(system),
                is_virtual_machine(system),
                meters};
    for (const int batch : settings.batches) {
        start = steady_seconds();
        const Json ready = process.ask({{"do", "batch"}, {"size", batch}});
        // A network may be traced or compiled for its first input.
        if (batch == settings.batches.front()) build_s += steady_seconds() - start;
        const bool prepares = ready.value("clips", false);
        if (batch == 1)
            bench.idle = meters.idle(
                std::clamp(idle_share * settings.time_budget_s, least_idle_s, max_idle_s));
        record["batches"].push_back(measure_batch(bench, batch, prepares, result.metrics));
    }
    record["after"] = system.conditions();
    add_facts(process.ask({{"do", "facts"}}).value("facts", Json::object()), result.metrics);
    if (model != nullptr)
        model->judge(process, settings, limits.device_class, result.metrics, record);
    result.metrics["build_ms"] = 1e3 * build_s;
    // A system may hide processes from each other: nothing is measured then.
    const double peak_mib = process.memory_mib("VmHWM");
    if (peak_mib > 0) result.metrics["peak_memory_mib"] = peak_mib;
    if (base_mib > 0) result.metrics["base_memory_mib"] = base_mib;
    result.record = record.dump();
}

WorkerOptions worker_options(const MeasurementSettings& settings, const MeasuringLimits& limits) {
    WorkerOptions options;
    options.cores = limits.cores;
    options.memory_limit_mib = limits.memory_limit_mib;
    options.sandbox = limits.sandbox;
    options.bounds = {settings.processor != "cpu", settings.threads, limits.time_limit_s};
    options.looks = settings.processor == "cpu" && cores_may_be_shared(SystemFiles());
    return options;
}

/// What runs in the process of a job. All that is given to it has to outlive the call.
JobProcess::Body body_of(const MeasurementJob& job, const MeasurementSettings& settings,
                         const RuntimeFactory& factory, const RuntimePreparation& prepare,
                         const MeasuringLimits& limits) {
    return [&](const JobSide& side, std::vector<std::string> namespaces) {
        namespaces.insert(namespaces.end(), limits.namespaces.begin(), limits.namespaces.end());
        MeasurementSettings its_own = settings;
        if (!its_own.weights.empty() || !files_of(job).empty()) its_own.weights = file_of_a_job;
        work_on_job(side, namespaces, job, its_own, factory, prepare,
                    worker_options(settings, limits));
    };
}

/// A reason by the name that whoever asked has given the weights.
std::string with_name_of_weights(std::string reason, const std::string& weights) {
    if (const auto at = reason.find(file_of_a_job); at != std::string::npos)
        reason.replace(at, std::strlen(file_of_a_job), weights);
    return reason;
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

MeasurementResult answer_of(const std::function<void(MeasurementResult&)>& work,
                            const std::function<std::string(const std::string&)>& worded) {
    MeasurementResult result;
    const double start = steady_seconds();
    const auto failed = [&](const std::string& reason, FailureOf whose = FailureOf::device) {
        const std::string line = reason.substr(0, reason.find('\n'));
        result.status = Status::failed;
        result.failure_of = whose;
        result.reason = worded ? worded(line) : line;
        result.metrics.clear();
    };
    try {
        work(result);
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

MeasurementResult measure(const MeasurementJob& job, const RuntimeFactory& factory,
                          const MeasuringLimits& limits, const RuntimePreparation& prepare,
                          const std::vector<Meter>& meters) {
    std::string weights;
    const auto work = [&](MeasurementResult& result) {
        const MeasurementSettings settings = settings_of(job);
        weights = settings.weights;
        std::optional<ModelUnderTest> model;
        if (const auto about = ModelJob::of(job.spec)) model.emplace(*about, limits.files);
        const Descriptor file =
            model ? model->bundle() : weights_of(settings, limits.weights_folder);
        if (model) weights = "the model";
        JobProcess process(limits.sandbox, limits.time_limit_s, file.get(),
                           body_of(job, settings, factory, prepare, limits));
        measure_all(process, settings, limits, meters, model ? &*model : nullptr, result);
    };
    return answer_of(
        work, [&](const std::string& reason) { return with_name_of_weights(reason, weights); });
}

Json sandbox_report(const MeasuringLimits& limits, bool tries) {
    const MeasurementJob job = make_job(Json::object(), MeasurementSettings{}, {});
    const MeasurementSettings settings;
    const RuntimeFactory no_network;
    const RuntimePreparation no_threads;
    const auto body = body_of(job, settings, no_network, no_threads, limits);
    JobProcess process(limits.sandbox, limits.time_limit_s, -1, body);
    Json report = process.ask({{"do", "enter"}}).at("sandbox");
    report["strong"] = is_strong(report);
    report["clock"] = process.channel().is_stamped() ? "kernel" : "its own";
    if (!tries) return report;
    report["refused"] = Json::object();
    report["not_refused"] = Json::array();
    const std::vector<std::string> names = attempt_names();
    for (std::size_t i = 0; i < names.size(); ++i) {
        JobProcess tried(limits.sandbox, limits.time_limit_s, -1, body);
        (void)tried.ask({{"do", "enter"}});
        std::string how;
        try {
            how = tried.ask({{"do", "attempt"}, {"which", i}}).value("result", "");
        } catch (const ConfigError& error) {
            how = error.what();
        }
        if (how.empty())
            report["not_refused"].push_back(names[i]);
        else
            report["refused"][names[i]] = how;
    }
    return report;
}

}  // namespace edgeloop
