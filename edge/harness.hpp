#pragma once

#include "edgeloop/link/measurement.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Nanoseconds on a clock that never jumps; replaced in tests.
using NanosecondClock = std::function<std::int64_t()>;
[[nodiscard]] std::int64_t steady_nanoseconds();

/// When to stop timing one thing.
struct TimingPlan {
    double time_budget_s = 10;  ///< warm-up included; overstepped only for `fewest_samples`
    double max_s = 0;           ///< budget and what may be added for time lost to a disturbance
    double min_seconds = 0;     ///< the samples cover at least this: a clock may float
    std::size_t min_samples = 64;
    double iqr_ratio = 0.05;         ///< stop rule: interquartile range / median
    std::size_t fewest_samples = 3;  ///< taken even when each lasts longer than the budget
    std::size_t max_samples = 1'000'000;
};

/// What timing gave, in the order taken.
struct Timing {
    std::vector<double> samples_ms;     ///< undisturbed ones when there are enough, else all
    std::size_t disturbed_samples = 0;  ///< beside a disturbance; not among `samples_ms`
    double seconds = 0, disturbed_seconds = 0;  ///< of timed runs, and how many were disturbed
    std::size_t warm_up_runs = 0;
    bool warmed_up = false;       ///< the warm-up became stable within its share of the budget
    bool stop_rule_held = false;  ///< ended with enough samples and little spread
};

/// Single stream: runs `run` again and again, first untimed until it is stable (medians of two
/// successive groups of runs within 5 %, or a quarter of the budget is spent), then timed until the
/// stop rule holds or the budget is spent.
///
/// With `speed` the runs are taken in blocks of about a millisecond with a question before and
/// after each, and only blocks at full speed are samples: not those with an answer of 0, nor those
/// more than 3 % below the speed that a tenth of the others exceed. Time lost so is added to the
/// budget, up to `max_s`. With fewer than `min_samples` such runs in the end all are samples
/// and the stop rule has not held.
///
/// @param run  one complete inference; the device has finished when it returns.
/// @param speed  of the processor at this moment in any unit, 0 when something disturbs it; empty:
/// never asked.
[[nodiscard]] Timing time_runs(const std::function<void()>& run, const TimingPlan& plan,
                               const NanosecondClock& now = steady_nanoseconds,
                               const std::function<double()>& speed = {});

/// Order statistics of samples. Quantiles interpolate linearly between neighbours.
struct Summary {
    std::size_t n = 0;
    double min_ms = 0, median_ms = 0, p90_ms = 0, iqr_ms = 0;
    std::optional<double> p99_ms;  ///< only with the 662 samples it needs (MLPerf LoadGen's floor)
};

/// REQUIRES: at least one sample. Complexity: O(n log n).
[[nodiscard]] Summary summarise(std::vector<double> samples_ms);

/// "latency" for batch size 1, "latency_b<b>" for another: what its metrics' names begin with.
[[nodiscard]] std::string latency_name(int batch);

/// Adds a summary to `metrics`: latency_ms (median), latency_p90_ms, latency_p99_ms,
/// latency_min_ms, latency_iqr_ms, latency_samples, latency_valid.
void add_latency_metrics(const Summary& summary, bool valid, int batch, Metrics& metrics);

}  // namespace edgeloop
