#include "measuring_child.hpp"

#include "harness.hpp"
#include "system_files.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr double bytes_per_mib = 1024.0 * 1024.0;

std::string read_all(int descriptor) {
    std::string text;
    char buffer[1 << 14];
    while (true) {
        const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return text;
        text.append(buffer, static_cast<std::size_t>(got));
    }
}

void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) throw IoError("cannot hand over the result", std::strerror(errno));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

void pin_to(const std::vector<int>& cores) {
    if (cores.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : cores) CPU_SET(core, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        throw ConfigError("cannot pin to the given cores", std::strerror(errno));
}

/// RLIMIT_DATA counts what a network allocates; RLIMIT_AS would also count LibTorch's mappings.
void limit_memory(double mib) {
    if (mib <= 0) return;
    const rlimit limit{static_cast<rlim_t>(mib * bytes_per_mib),
                       static_cast<rlim_t>(mib * bytes_per_mib)};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0)
        throw IoError("cannot limit the memory of the measuring process", std::strerror(errno));
}

void apply_limits(const std::vector<int>& cores, double memory_mib) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlive the agent
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    pin_to(cores);
    limit_memory(memory_mib);
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

TimingPlan plan_from(const MeasurementSettings& settings) {
    TimingPlan plan;
    plan.time_budget_s = settings.time_budget_s;
    plan.min_samples = static_cast<std::size_t>(settings.min_samples);
    plan.iqr_ratio = settings.iqr_ratio;
    return plan;
}

/// Times one batch size; adds its metrics and returns what goes into the record.
Json measure_batch(Runtime& runtime, int batch, const MeasurementSettings& settings,
                   const EnergyMeter& energy, Metrics& metrics) {
    runtime.prepare(batch);
    const Usage before = usage();
    const auto joules_before = energy.joules();
    const double start = steady_seconds();
    const Timing timing = time_runs([&] { runtime.run(); }, plan_from(settings));
    const double wall_s = steady_seconds() - start;
    const auto joules_after = energy.joules();
    const Usage after = usage();

    add_latency_metrics(summarise(timing.samples_ms), timing.stop_rule_held, batch, metrics);
    if (joules_before && joules_after && *joules_after >= *joules_before && batch == 1) {
        const auto runs = static_cast<double>(timing.samples_ms.size() + timing.warm_up_runs);
        metrics["energy_mj"] = (*joules_after - *joules_before) / runs * 1e3;
    }
    return {{"batch", batch},
            {"samples", timing.samples_ms.size()},
            {"warm_up_runs", timing.warm_up_runs},
            {"warmed_up", timing.warmed_up},
            {"stop_rule_held", timing.stop_rule_held},
            {"wall_s", wall_s},
            {"cpu_s", after.cpu_s - before.cpu_s},
            {"involuntary_switches", after.involuntary_switches - before.involuntary_switches}};
}

void measure_into(MeasurementResult& result, const Json& spec, const MeasurementSettings& settings,
                  const RuntimeFactory& factory) {
    const SystemFiles system;
    const double base_mib = system.resident_mib();
    const std::unique_ptr<Runtime> runtime = factory(spec, settings);
    const EnergyMeter energy(system);
    Json record = {{"before", system.conditions()}, {"settings", settings.to_json()}};
    for (const int batch : settings.batches)
        record["batches"].push_back(
            measure_batch(*runtime, batch, settings, energy, result.metrics));
    record["after"] = system.conditions();
    result.metrics.merge(runtime->facts());
    result.metrics["peak_memory_mib"] = system.peak_resident_mib();
    result.metrics["base_memory_mib"] = base_mib;
    result.record = record.dump();
}

}  // namespace

MeasurementResult measure(const MeasurementJob& job, const RuntimeFactory& factory) {
    MeasurementResult result;
    const double start = steady_seconds();
    const auto failed = [&](const std::string& reason) {
        result.status = Status::failed;
        result.reason = reason;
        result.metrics.clear();
    };
    try {
        const auto settings =
            MeasurementSettings::from_json(parse_json(job.settings, "settings"), "settings");
        measure_into(result, parse_json(job.spec, "spec"), settings, factory);
    } catch (const std::bad_alloc&) {
        failed("out of memory on the device");
    } catch (const std::exception& error) {
        const std::string text = error.what();
        failed(text.substr(0, text.find('\n')));
    }
    result.seconds = steady_seconds() - start;
    return result;
}

int measuring_child_main(const RuntimeFactory& factory, int result_fd) {
    const Json request = parse_json(read_all(STDIN_FILENO), "request");
    const MeasurementJob job{request.at("spec"), request.at("settings"),
                             request.at("device_class")};
    apply_limits(request.at("cores").get<std::vector<int>>(),
                 request.at("memory_limit_mib").get<double>());
    write_all(result_fd, result_to_json(measure(job, factory)).dump());
    return 0;
}

Json result_to_json(const MeasurementResult& result) {
    return {{"status", result.status == Status::completed ? "completed" : "failed"},
            {"metrics", result.metrics},
            {"reason", result.reason},
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
        result.seconds = json.at("seconds");
        result.device = json.at("device");
        result.record = json.at("record").dump();
        return result;
    } catch (const Json::exception& error) {
        throw ConfigError("not a measurement result", error.what());
    }
}

}  // namespace edgeloop
