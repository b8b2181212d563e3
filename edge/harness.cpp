#include "harness.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/quantile.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t group_runs = 5;      ///< warm-up runs compared with the ones before, at least
constexpr double group_s = 0.02;           ///< that they last, at least
constexpr double stable_within = 0.05;     ///< difference of two groups' medians
constexpr double least_warm_up_s = 0.2;    ///< clocks rise within tenths of a second
constexpr double warm_up_share = 0.25;     ///< of the time budget, at most
constexpr std::size_t runs_per_look = 16;  ///< the rule sorts, so it is not asked each time
constexpr std::size_t disturbed_for_each = 4;  ///< runs kept for each sample there may be
constexpr double full_speed = 0.97;  ///< processors change their clock in steps of about 4 %
/// Independent values from which on how many they are is itself known well enough to stop.
constexpr double enough_independent = 30;

double seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

void warm_up(Runner& runner, const TimingPlan& plan, Timing& timing) {
    const std::int64_t start = runner.now_ns();
    const double limit_s = warm_up_share * plan.time_budget_s;
    const double least_s = std::min(least_warm_up_s, limit_s);
    std::optional<double> before;
    do {
        std::vector<double> group;
        const std::int64_t group_start = runner.now_ns();
        do {
            group.push_back(runner.run().run_ms);
            timing.warm_up_s = seconds(runner.now_ns() - start);
        } while ((group.size() < group_runs || seconds(runner.now_ns() - group_start) < group_s) &&
                 timing.warm_up_s < limit_s);
        timing.warm_up_runs += group.size();
        const bool whole = group.size() >= group_runs;
        const double middle = median(std::move(group));
        timing.warmed_up = whole && before && std::abs(middle - *before) <= stable_within * *before;
        before = middle;
    } while (timing.warm_up_s < limit_s && !(timing.warmed_up && timing.warm_up_s >= least_s));
}

/// Timed runs in blocks, each with the lower of the processor's speeds before and after it.
class Blocks {
  public:
    Blocks(Runner& runner, Timing& timing)
        : runner_(runner), timing_(timing), last_speed_(runner.speed()) {}

    void take_one(std::size_t max_runs) {
        const double before = last_speed_;
        double total_s = 0;
        const std::size_t first = timing_.runs_ms.size();
        do {
            const RunTimes times = runner_.run();
            if (times.prepared_ms) timing_.prepared_ms.push_back(*times.prepared_ms);
            timing_.runs_ms.push_back(times.run_ms);
            total_s += (times.prepared_ms.value_or(0) + times.run_ms) * 1e-3;
        } while (!runner_.ends_block(total_s) && timing_.runs_ms.size() < max_runs);
        last_speed_ = runner_.speed();
        blocks_.push_back({std::min(before, last_speed_), total_s, first});
        timing_.seconds += total_s;
    }

    /// Finds the runs at full speed.
    void choose() {
        const double least = least_speed();
        double chosen_s = 0;
        timing_.undisturbed.clear();
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            if (blocks_[i].speed <= 0 || blocks_[i].speed < least) continue;
            const std::size_t end =
                i + 1 < blocks_.size() ? blocks_[i + 1].first : timing_.runs_ms.size();
            for (std::size_t run = blocks_[i].first; run < end; ++run)
                timing_.undisturbed.push_back(run);
            chosen_s += blocks_[i].seconds;
        }
        timing_.disturbed_seconds = std::max(0.0, timing_.seconds - chosen_s);
    }

  private:
    struct Block {
        double speed, seconds;
        std::size_t first;  ///< its first run
    };

    /// A little below the speed that one in ten undisturbed blocks exceeds: what the processor does
    /// again and again, not what it once did.
    [[nodiscard]] double least_speed() const {
        std::vector<double> speeds;
        for (const Block& block : blocks_)
            if (block.speed > 0) speeds.push_back(block.speed);
        if (speeds.empty()) return 0;
        const auto place = speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() * 9 / 10);
        std::nth_element(speeds.begin(), place, speeds.end());
        return full_speed * *place;
    }

    Runner& runner_;
    Timing& timing_;
    std::vector<Block> blocks_;
    double last_speed_;
};

std::vector<double> sums(std::vector<double> a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
}

/// What the samples say about a median.
struct Known {
    std::optional<MedianInterval> interval;
    double width = 0;  ///< of the interval / median
};

Known known_of(const std::vector<double>& samples_ms) {
    Known known{median_interval(samples_ms)};
    if (known.interval)
        known.width = (known.interval->high - known.interval->low) / median(samples_ms);
    return known;
}

/// What there is to know about: the run, and the run with its preparation.
std::vector<Known> all_known(const Timing& timing) {
    const std::vector<double> runs_ms = timing.samples_ms();
    std::vector<Known> all{known_of(runs_ms)};
    if (!timing.prepared_ms.empty())
        all.push_back(known_of(sums(runs_ms, timing.prepared_samples_ms())));
    return all;
}

double undisturbed_s(const Timing& timing) { return timing.seconds - timing.disturbed_seconds; }

/// Whether more runs would only make sure of what is known.
bool may_stop(const Timing& timing, const TimingPlan& plan) {
    const auto n = static_cast<double>(timing.undisturbed.size());
    if (timing.undisturbed.size() < plan.min_samples || undisturbed_s(timing) < plan.min_seconds)
        return false;
    const std::vector<Known> all = all_known(timing);
    return std::all_of(all.begin(), all.end(), [&](const Known& known) {
        return known.interval && known.width <= plan.spread &&
               known.interval->independent >= std::min(enough_independent, 0.5 * n);
    });
}

std::vector<std::string> shortcomings_of(const Timing& timing, const TimingPlan& plan) {
    if (timing.undisturbed.empty()) return {"no run had the core to itself"};
    if (timing.undisturbed.size() < std::size_t(fewest_for_interval))
        return {fmt::format("{} undisturbed runs of {}, and an interval of the median needs {}",
                            timing.undisturbed.size(), timing.runs_ms.size(), fewest_for_interval)};
    std::vector<std::string> all;
    if (undisturbed_s(timing) < plan.min_seconds)
        all.push_back(fmt::format("undisturbed runs cover {:.2g} s, and {:.2g} s are asked for",
                                  undisturbed_s(timing), plan.min_seconds));
    const std::vector<Known> known = all_known(timing);
    for (std::size_t i = 0; i < known.size(); ++i) {
        if (known[i].width <= plan.spread) continue;
        all.push_back(fmt::format(
            "the interval of the median{} is {:.2g} % wide, and {:.2g} % are "
            "asked for",
            i == 0 ? "" : " with preprocessing", 100 * known[i].width, 100 * plan.spread));
        break;
    }
    return all;
}

}  // namespace

std::int64_t steady_nanoseconds() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::vector<double> Timing::chosen(const std::vector<double>& values) const {
    if (undisturbed.empty() || values.empty()) return values;
    std::vector<double> some;
    some.reserve(undisturbed.size());
    for (const std::size_t run : undisturbed) some.push_back(values[run]);
    return some;
}

Timing time_runs(Runner& runner, const TimingPlan& plan) {
    Timing timing;
    const std::int64_t start = runner.now_ns();
    warm_up(runner, plan, timing);
    Blocks blocks(runner, timing);
    const std::size_t max_runs = disturbed_for_each * plan.max_samples;
    std::size_t next_count = plan.min_samples;
    double next_s = plan.time_budget_s;
    while (true) {
        blocks.take_one(max_runs);
        const std::size_t n = timing.runs_ms.size();
        const double elapsed = seconds(runner.now_ns() - start);
        if (n < plan.fewest_samples) continue;
        const bool enough = n >= next_count && timing.seconds >= plan.min_seconds;
        if (!enough && elapsed < next_s && n < max_runs) continue;
        blocks.choose();
        if (n >= max_runs || timing.undisturbed.size() >= plan.max_samples) break;
        if (may_stop(timing, plan)) break;
        const double lost = timing.disturbed_seconds;
        const double allowed =
            std::max(plan.time_budget_s, std::min(plan.time_budget_s + lost, plan.max_s));
        if (elapsed >= allowed) break;
        // A look at everything so far takes time and cache: the more there is, the rarer.
        next_count = std::min(n + std::max(runs_per_look, n / 20), max_runs);
        next_s = std::min(std::max(allowed, lost > 0 ? 1.05 * elapsed : 0),
                          std::max(plan.time_budget_s, plan.max_s));
    }
    timing.shortcomings = shortcomings_of(timing, plan);
    return timing;
}

Summary summarise(std::vector<double> samples_ms) {
    EDGELOOP_EXPECT(!samples_ms.empty(), "a summary needs samples");
    std::sort(samples_ms.begin(), samples_ms.end());
    Summary summary;
    summary.n = samples_ms.size();
    summary.min_ms = samples_ms.front();
    summary.max_ms = samples_ms.back();
    summary.median_ms = quantile(samples_ms, 0.5);
    summary.p90_ms = quantile(samples_ms, 0.9);
    summary.iqr_ms = quantile(samples_ms, 0.75) - quantile(samples_ms, 0.25);
    if (summary.n >= std::size_t(p99_samples)) summary.p99_ms = quantile(samples_ms, 0.99);
    return summary;
}

std::string latency_name(int batch) {
    return batch == 1 ? "latency" : fmt::format("latency_b{}", batch);
}

void add_latency_metrics(const Timing& timing, bool valid, int batch, Metrics& metrics) {
    const std::string name = latency_name(batch);
    const std::vector<double> samples_ms = timing.samples_ms();
    const Summary of_samples = summarise(samples_ms), of_all = summarise(timing.runs_ms);
    metrics[name + "_ms"] = of_samples.median_ms;
    if (const auto interval = median_interval(samples_ms)) {
        metrics[name + "_low_ms"] = std::max(0.0, interval->low);  // no run takes less
        metrics[name + "_high_ms"] = interval->high;
    }
    metrics[name + "_min_ms"] = of_samples.min_ms;
    metrics[name + "_iqr_ms"] = of_samples.iqr_ms;
    metrics[name + "_samples"] = static_cast<double>(of_samples.n);
    metrics[name + "_p90_ms"] = of_all.p90_ms;
    if (of_all.p99_ms) metrics[name + "_p99_ms"] = *of_all.p99_ms;
    metrics[name + "_max_ms"] = of_all.max_ms;
    metrics[name + "_valid"] = valid ? 1 : 0;
    if (timing.prepared_ms.empty()) return;
    const std::vector<double> prepared_ms = timing.prepared_samples_ms();
    metrics["preprocess_ms"] = median(prepared_ms);
    metrics["pipeline_ms"] = median(sums(samples_ms, prepared_ms));
}

}  // namespace edgeloop
