#include "harness.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/quantile.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t group = 5;           ///< warm-up runs compared with the ones before
constexpr double stable_within = 0.05;     ///< difference of two groups' medians
constexpr double warm_up_share = 0.25;     ///< of the time budget
constexpr std::size_t runs_per_look = 16;  ///< the stop rule sorts, so it is not asked each time
constexpr double block_s = 1e-3;           ///< of runs between two questions for the speed
constexpr std::size_t disturbed_for_each = 4;  ///< runs kept for each sample there may be
constexpr double full_speed = 0.97;  ///< processors change their clock in steps of about 4 %

double seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

double median_of_last(const std::vector<double>& values, std::size_t skip) {
    const auto end = values.end() - static_cast<std::ptrdiff_t>(skip);
    return median({end - static_cast<std::ptrdiff_t>(group), end});
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

/// Timed runs in blocks, each with the lower of the processor's speeds before and after it.
class Blocks {
  public:
    Blocks(const std::function<void()>& run, const NanosecondClock& now,
           const std::function<double()>& speed)
        : run_(run), now_(now), speed_(speed), last_speed_(speed ? speed() : 1) {}

    void take_one(std::size_t max_runs) {
        const double before = last_speed_;
        double total_s = 0;
        const std::size_t first = runs_ms_.size();
        do {
            runs_ms_.push_back(timed_ms(run_, now_));
            total_s += runs_ms_.back() * 1e-3;
        } while (speed_ && total_s < block_s && runs_ms_.size() < max_runs);
        if (speed_) last_speed_ = speed_();
        blocks_.push_back({std::min(before, last_speed_), total_s, first});
        seconds_ += total_s;
    }

    /// Runs at full speed, and how long they took together.
    struct Chosen {
        std::vector<double> samples_ms;
        double seconds = 0;
    };
    [[nodiscard]] Chosen undisturbed() const {
        const double least = least_speed();
        Chosen chosen;
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            if (blocks_[i].speed <= 0 || blocks_[i].speed < least) continue;
            const std::size_t end = i + 1 < blocks_.size() ? blocks_[i + 1].first : runs_ms_.size();
            chosen.samples_ms.insert(
                chosen.samples_ms.end(),
                runs_ms_.begin() + static_cast<std::ptrdiff_t>(blocks_[i].first),
                runs_ms_.begin() + static_cast<std::ptrdiff_t>(end));
            chosen.seconds += blocks_[i].seconds;
        }
        return chosen;
    }
    [[nodiscard]] const std::vector<double>& all_ms() const { return runs_ms_; }
    [[nodiscard]] double seconds() const { return seconds_; }

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

    const std::function<void()>& run_;
    const NanosecondClock& now_;
    const std::function<double()>& speed_;
    std::vector<double> runs_ms_;
    std::vector<Block> blocks_;
    double seconds_ = 0, last_speed_;
};

bool steady_enough(const Blocks::Chosen& chosen, const TimingPlan& plan) {
    if (chosen.samples_ms.size() < plan.min_samples || chosen.seconds < plan.min_seconds)
        return false;
    const Summary summary = summarise(chosen.samples_ms);
    return summary.iqr_ms <= plan.iqr_ratio * summary.median_ms;
}

}  // namespace

std::int64_t steady_nanoseconds() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

Timing time_runs(const std::function<void()>& run, const TimingPlan& plan,
                 const NanosecondClock& now, const std::function<double()>& speed) {
    Timing timing;
    const std::int64_t start = now();
    warm_up(run, plan, now, start, timing);
    Blocks blocks(run, now, speed);
    Blocks::Chosen chosen;
    const std::size_t max_runs = disturbed_for_each * plan.max_samples;
    std::size_t next_count = plan.min_samples;
    double next_s = plan.time_budget_s;
    while (true) {
        blocks.take_one(max_runs);
        const std::size_t n = blocks.all_ms().size();
        const double elapsed = seconds(now() - start);
        if (n < plan.fewest_samples || (n < next_count && elapsed < next_s)) continue;
        chosen = blocks.undisturbed();
        if (n >= max_runs || chosen.samples_ms.size() >= plan.max_samples) break;
        if (steady_enough(chosen, plan)) break;
        const double lost = blocks.seconds() - chosen.seconds;
        const double allowed =
            std::max(plan.time_budget_s, std::min(plan.time_budget_s + lost, plan.max_s));
        if (elapsed >= allowed) break;
        // A look at everything so far takes time and cache: the more there is, the rarer.
        next_count = std::min(n + std::max(runs_per_look, n / 20), max_runs);
        next_s = std::min(std::max(allowed, lost > 0 ? 1.05 * elapsed : 0),
                          std::max(plan.time_budget_s, plan.max_s));
    }
    timing.seconds = blocks.seconds();
    timing.disturbed_seconds = blocks.seconds() - chosen.seconds;
    timing.stop_rule_held = steady_enough(chosen, plan);
    if (chosen.samples_ms.size() < plan.min_samples) {
        chosen.samples_ms = blocks.all_ms();
        timing.disturbed_seconds = chosen.seconds < blocks.seconds() ? blocks.seconds() : 0;
    }
    timing.disturbed_samples = blocks.all_ms().size() - chosen.samples_ms.size();
    timing.samples_ms = std::move(chosen.samples_ms);
    return timing;
}

Summary summarise(std::vector<double> samples_ms) {
    EDGELOOP_EXPECT(!samples_ms.empty(), "a summary needs samples");
    std::sort(samples_ms.begin(), samples_ms.end());
    Summary summary;
    summary.n = samples_ms.size();
    summary.min_ms = samples_ms.front();
    summary.median_ms = quantile(samples_ms, 0.5);
    summary.p90_ms = quantile(samples_ms, 0.9);
    summary.iqr_ms = quantile(samples_ms, 0.75) - quantile(samples_ms, 0.25);
    if (summary.n >= std::size_t(p99_samples)) summary.p99_ms = quantile(samples_ms, 0.99);
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
