#pragma once

#include "median_interval.hpp"

#include "edgeloop/link/measurement.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Nanoseconds on a clock that never jumps.
[[nodiscard]] std::int64_t steady_nanoseconds();

/// When to stop timing one thing.
struct TimingPlan {
    double time_budget_s = 10;     ///< warm-up included; overstepped only for `fewest_samples`
    double max_s = 0;              ///< budget and what may be added for time lost to a disturbance
    double min_seconds = 0;        ///< the samples cover at least this: a clock may float
    std::size_t min_samples = 20;  ///< before the rule may end it
    double spread = 0.05;          ///< width of the interval of the median / median, at most
    /// Taken even when each lasts longer than the budget.
    std::size_t fewest_samples = fewest_for_interval;
    std::size_t max_samples = 1'000'000;
};

/// One run as it was taken.
struct RunTimes {
    double run_ms = 0;
    std::optional<double> prepared_ms;  ///< what came before it, timed for itself
};

/// Takes runs, one after the other, on a clock of its own; the device has finished each.
class Runner {
  public:
    virtual ~Runner() = default;
    /// One more complete inference, and what comes before it.
    virtual RunTimes run() = 0;
    /// Whether runs that have lasted for so long since the last speed() are enough for a block.
    virtual bool ends_block(double seconds) = 0;
    /// How fast the processor is at this moment in any unit, 0 when something disturbs it; the same
    /// each time where nothing can.
    virtual double speed() = 0;
    virtual std::int64_t now_ns() = 0;
};

/// What timing gave.
struct Timing {
    std::vector<double> runs_ms;                ///< every timed run, in the order taken
    std::vector<double> prepared_ms;            ///< what came before each; empty when nothing did
    std::vector<std::size_t> undisturbed;       ///< places of the samples among the runs, ascending
    double seconds = 0, disturbed_seconds = 0;  ///< of timed runs, and how many were disturbed
    std::size_t warm_up_runs = 0;
    double warm_up_s = 0;
    bool warmed_up = false;  ///< the warm-up became stable within its share of the budget
    std::vector<std::string> shortcomings;  ///< why the samples are not enough; empty: they are

    /// Runs that nothing disturbed; when there is none, all.
    [[nodiscard]] std::vector<double> samples_ms() const { return chosen(runs_ms); }
    /// As samples_ms(), of `prepared_ms`.
    [[nodiscard]] std::vector<double> prepared_samples_ms() const { return chosen(prepared_ms); }

  private:
    [[nodiscard]] std::vector<double> chosen(const std::vector<double>& values) const;
};

/// Single stream: runs again and again. First untimed, for at least 0.2 s and until the medians of
/// two successive groups of runs are within 5 %, or a quarter of the budget is spent. Then timed
/// until the interval of the median is narrow enough (and rests on 30 independent values, or half
/// of the samples are), or the budget is spent.
///
/// Runs are taken in blocks with a question for the speed before and after each, and only blocks at
/// full speed are samples: not those with an answer of 0, nor those more than 3 % below the speed
/// that a tenth of the others exceed. Time lost so is added to the budget, up to `max_s`.
[[nodiscard]] Timing time_runs(Runner& runner, const TimingPlan& plan);

/// Order statistics of samples. Quantiles interpolate linearly between neighbours.
struct Summary {
    std::size_t n = 0;
    double min_ms = 0, median_ms = 0, p90_ms = 0, iqr_ms = 0, max_ms = 0;
    std::optional<double> p99_ms;  ///< only with the 662 samples it needs (MLPerf LoadGen's floor)
};

/// REQUIRES: at least one sample. Complexity: O(n log n).
[[nodiscard]] Summary summarise(std::vector<double> samples_ms);

/// "latency" for batch size 1, "latency_b<b>" for another: what its metrics' names begin with.
[[nodiscard]] std::string latency_name(int batch);

/// Adds to `metrics`. Of the undisturbed runs: latency_ms (median), latency_low_ms and
/// latency_high_ms (its interval), latency_min_ms, latency_iqr_ms, latency_samples. Of every timed
/// run, as an application sees them: latency_p90_ms, latency_p99_ms, latency_max_ms. Then
/// latency_valid; and when runs were prepared preprocess_ms and pipeline_ms, the medians of the
/// preparation and of both together.
void add_latency_metrics(const Timing& timing, bool valid, int batch, Metrics& metrics);

}  // namespace edgeloop
