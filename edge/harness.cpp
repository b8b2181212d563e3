#include "harness.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t p99_floor = 662;
constexpr std::size_t group = 5;              ///< warm-up runs compared with the ones before
constexpr double stable_within = 0.05;        ///< difference of two groups' medians
constexpr double warm_up_share = 0.25;        ///< of the time budget
constexpr std::size_t samples_per_look = 16;  ///< the stop rule sorts, so it is not asked each time
constexpr double block_s = 1e-3;              ///< of runs between two questions for disturbances

double seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

/// Linear interpolation between order statistics of sorted values.
double quantile(const std::vector<double>& sorted, double q) {
    const double place = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double median_of_last(const std::vector<double>& values, std::size_t skip) {
    const auto end = values.end() - static_cast<std::ptrdiff_t>(skip);
    std::vector<double> part(end - static_cast<std::ptrdiff_t>(group), end);
    std::sort(part.begin(), part.end());
    return quantile(part, 0.5);
}

bool stable(const std::vector<double>& durations) {
    if (durations.size() < 2 * group || durations.size() % group != 0) return false;
    const double last = median_of_last(durations, 0), before = median_of_last(durations, group);
    return std::abs(last - before) <= stable_within * before;
}

double timed_ms(const std::function<void()>& run, const NanosecondClock& now) {
    const std::int64_t start = now();
    run();
    return static_cast<double>(now() - start) * 1e-6;
}

void warm_up(const std::function<void()>& run, const TimingPlan& plan, const NanosecondClock& now,
             std::int64_t start, Timing& timing) {
    std::vector<double> durations;
    do {
        durations.push_back(timed_ms(run, now));
        timing.warmed_up = stable(durations);
    } while (!timing.warmed_up && seconds(now() - start) < warm_up_share * plan.time_budget_s);
    timing.warm_up_runs = durations.size();
}

bool steady_enough(const std::vector<double>& samples, const TimingPlan& plan) {
    if (samples.size() < plan.min_samples) return false;
    const Summary summary = summarise(samples);
    return summary.iqr_ms <= plan.iqr_ratio * summary.median_ms;
}

/// Timed runs, told apart by whether anything disturbed them.
struct Blocks {
    Blocks(const std::function<void()>& run, const TimingPlan& plan, const NanosecondClock& now,
           const std::function<bool()>& undisturbed)
        : run_(run),
          now_(now),
          undisturbed_(undisturbed),
          largest_(undisturbed ? plan.most_samples : 1),
          quiet_(!undisturbed || undisturbed()) {}

    void take_one() {
        block_.clear();
        double total_s = 0;
        do {
            block_.push_back(timed_ms(run_, now_));
            total_s += block_.back() * 1e-3;
        } while (total_s < block_s && block_.size() < largest_);
        const bool was_quiet = quiet_;
        quiet_ = !undisturbed_ || undisturbed_();
        const bool good = was_quiet && quiet_;
        auto& samples = good ? good_ms : bad_ms;
        samples.insert(samples.end(), block_.begin(), block_.end());
        (good ? good_s : bad_s) += total_s;
    }

    std::vector<double> good_ms, bad_ms;
    double good_s = 0, bad_s = 0;

  private:
    const std::function<void()>& run_;
    const NanosecondClock& now_;
    const std::function<bool()>& undisturbed_;
    std::size_t largest_;
    bool quiet_;
    std::vector<double> block_;
};

}  // namespace

std::int64_t steady_nanoseconds() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

Timing time_runs(const std::function<void()>& run, const TimingPlan& plan,
                 const NanosecondClock& now, const std::function<bool()>& undisturbed) {
    Timing timing;
    const std::int64_t start = now();
    warm_up(run, plan, now, start, timing);
    Blocks blocks(run, plan, now, undisturbed);
    std::size_t next_look = plan.min_samples;
    while (true) {
        blocks.take_one();
        const std::size_t n = blocks.good_ms.size(), all = n + blocks.bad_ms.size();
        if (all >= plan.most_samples) break;
        if (n >= next_look && blocks.good_s >= plan.min_seconds) {
            if (steady_enough(blocks.good_ms, plan)) break;
            next_look = n + std::max(samples_per_look, n / 20);
        }
        const double allowed = std::max(
            plan.time_budget_s, std::min(plan.time_budget_s + blocks.bad_s, plan.longest_s));
        if (all >= plan.fewest_samples && seconds(now() - start) >= allowed) break;
    }
    timing.seconds = blocks.good_s + blocks.bad_s;
    timing.disturbed_seconds = blocks.bad_s;
    timing.samples_ms = std::move(blocks.good_ms);
    timing.stop_rule_held = steady_enough(timing.samples_ms, plan);
    if (timing.samples_ms.size() < plan.min_samples)
        timing.samples_ms.insert(timing.samples_ms.end(), blocks.bad_ms.begin(),
                                 blocks.bad_ms.end());
    else
        timing.disturbed_samples = blocks.bad_ms.size();
    return timing;
}

Summary summarise(std::vector<double> samples_ms) {
    EDGELOOP_EXPECT(!samples_ms.empty(), "a summary needs samples");
    std::sort(samples_ms.begin(), samples_ms.end());
    Summary summary;
    summary.n = samples_ms.size();
    summary.min_ms = samples_ms.front();
    summary.median_ms = quantile(samples_ms, 0.5);
    summary.mean_ms =
        std::accumulate(samples_ms.begin(), samples_ms.end(), 0.0) / static_cast<double>(summary.n);
    summary.p90_ms = quantile(samples_ms, 0.9);
    summary.iqr_ms = quantile(samples_ms, 0.75) - quantile(samples_ms, 0.25);
    if (summary.n >= p99_floor) summary.p99_ms = quantile(samples_ms, 0.99);
    return summary;
}

std::string latency_name(int batch) {
    return batch == 1 ? "latency" : fmt::format("latency_b{}", batch);
}

void add_latency_metrics(const Summary& summary, bool valid, int batch, Metrics& metrics) {
    const std::string name = latency_name(batch);
    metrics[name + "_ms"] = summary.median_ms;
    metrics[name + "_p90_ms"] = summary.p90_ms;
    if (summary.p99_ms) metrics[name + "_p99_ms"] = *summary.p99_ms;
    metrics[name + "_min_ms"] = summary.min_ms;
    metrics[name + "_iqr_ms"] = summary.iqr_ms;
    metrics[name + "_samples"] = static_cast<double>(summary.n);
    metrics[name + "_valid"] = valid ? 1 : 0;
}

}  // namespace edgeloop
