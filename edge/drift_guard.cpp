#include "drift_guard.hpp"

#include "runtime.hpp"

#include "edgeloop/core/log.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace edgeloop {
namespace {

/// A convolution and a dense layer: about a millisecond, so that a look costs little.
constexpr const char* reference_spec = R"({
    "family": "cnn3d",
    "architecture": {
        "stages": [{"channels": 8, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
                   {"channels": 16, "kernel": [3, 3, 3], "pool": [2, 2, 2]}],
        "hidden": [32], "norm": "none", "dropout": 0, "reduce": "flatten"},
    "clip": {"frames": 8, "stride": 1, "side": 32}})";

}  // namespace

MeasurementJob reference_job() {
    MeasurementSettings settings;
    settings.time_budget_s = 0.5;
    const std::vector<std::string> runtimes = runtime_names();
    if (!runtimes.empty() &&
        std::find(runtimes.begin(), runtimes.end(), settings.runtime) == runtimes.end())
        settings.runtime = "native";  // an agent without LibTorch
    return make_job(parse_kept_json(reference_spec), settings, {});
}

DriftGuard::DriftGuard(const DriftOptions& options, Measure measure, Pause pause)
    : options_(options), measure_(std::move(measure)), pause_(std::move(pause)) {}

std::optional<double> DriftGuard::look() {
    const MeasurementResult result = measure_({0, reference_job()});
    const auto latency = result.metrics.find("latency_ms");
    if (result.status == Status::completed && latency != result.metrics.end() &&
        latency->second > 0) {
        // All of it beside a neighbour on the core: that says nothing about the device.
        const auto lost = result.metrics.find("latency_disturbed");
        if (lost == result.metrics.end() || lost->second < 1) return latency->second;
        log::warning("the reference network never had the core to itself");
        return std::nullopt;
    }
    log::warning("the reference network could not be measured: {}", result.reason);
    return std::nullopt;
}

double DriftGuard::drift(double milliseconds) const { return milliseconds / *baseline_ms_ - 1; }

bool DriftGuard::disturbed(const std::optional<double>& milliseconds) const {
    return milliseconds && std::abs(drift(*milliseconds)) > options_.threshold;
}

void DriftGuard::begin() {
    if (options_.every <= 0 || baseline_ms_) return;
    baseline_ms_ = look();
    last_ms_ = baseline_ms_.value_or(0);
    if (baseline_ms_) log::info("reference network: {:.3f} ms", *baseline_ms_);
}

std::optional<DriftGuard::Settled> DriftGuard::add(const Job& job, MeasurementResult result) {
    if (!baseline_ms_ || result.status != Status::completed)
        return Settled{job.id, std::move(result)};
    kept_.push_back({job, std::move(result)});
    return std::nullopt;
}

bool DriftGuard::due(bool idle) const {
    return !kept_.empty() && (idle || static_cast<int>(kept_.size()) >= options_.every);
}

void DriftGuard::annotate(Kept& kept, double before_ms, double after_ms) const {
    if (kept.result.status != Status::completed) return;
    kept.result.metrics["reference_drift"] = drift(after_ms);
    if (disturbed(after_ms))
        for (auto& [name, value] : kept.result.metrics)
            if (has_meaning(name, Meaning::validity)) value = 0;
    Json record = parse_json(kept.result.record.empty() ? "{}" : kept.result.record, "record");
    record["reference"] = {{"first_ms", *baseline_ms_},
                           {"before_ms", before_ms},
                           {"after_ms", after_ms},
                           {"repeated", kept.repeated}};
    kept.result.record = record.dump();
}

std::vector<DriftGuard::Settled> DriftGuard::release() {
    std::vector<Settled> settled;
    for (Kept& kept : kept_) settled.push_back({kept.job.id, std::move(kept.result)});
    kept_.clear();
    return settled;
}

std::vector<DriftGuard::Settled> DriftGuard::settle() {
    std::optional<double> now_ms = look();
    if (disturbed(now_ms)) {
        log::warning(
            "the reference network takes {:.3f} ms, {:.3f} ms when the agent began: the device has "
            "changed (heat, clock, other load?)",
            *now_ms, *baseline_ms_);
        // Waiting once more for a device that has not recovered before would only cost time.
        for (int i = 0; i < options_.patience && !was_disturbed_ && disturbed(now_ms); ++i) {
            if (!pause_(options_.pause_s)) return release();
            now_ms = look();
        }
        if (now_ms && !disturbed(now_ms)) {
            log::info("it has recovered: {} jobs are measured again", kept_.size());
            for (Kept& kept : kept_) kept = {kept.job, measure_(kept.job), true};
            now_ms = look();
        }
    }
    was_disturbed_ = disturbed(now_ms);
    if (now_ms) {
        for (Kept& kept : kept_) annotate(kept, last_ms_, *now_ms);
        last_ms_ = *now_ms;
    }
    return release();
}

}  // namespace edgeloop
