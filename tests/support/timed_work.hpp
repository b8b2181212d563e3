#pragma once

#include "harness.hpp"

#include <cstdint>
#include <functional>

namespace edgeloop {

/// Nanoseconds on a clock that a test makes.
using NanosecondClock = std::function<std::int64_t()>;

/// What is timed in this process.
struct TimedWork {
    std::function<void()> run;           ///< one complete inference
    std::function<void()> prepare = {};  ///< what comes before each; empty: nothing
};

/// Runs work in this process, on any clock.
class LocalRunner final : public Runner {
  public:
    LocalRunner(TimedWork work, NanosecondClock now, std::function<double()> speed)
        : work_(std::move(work)), now_(std::move(now)), speed_(std::move(speed)) {}

    RunTimes run() override {
        RunTimes times;
        if (work_.prepare) times.prepared_ms = timed_ms(work_.prepare);
        times.run_ms = timed_ms(work_.run);
        return times;
    }
    bool ends_block(double seconds) override { return !speed_ || seconds >= 1e-3; }
    double speed() override { return speed_ ? speed_() : 1; }
    std::int64_t now_ns() override { return now_(); }

  private:
    double timed_ms(const std::function<void()>& part) {
        const std::int64_t start = now_();
        part();
        return static_cast<double>(now_() - start) * 1e-6;
    }

    TimedWork work_;
    NanosecondClock now_;
    std::function<double()> speed_;
};

/// @param speed  empty: nothing disturbs the processor.
inline Timing time_runs(const TimedWork& work, const TimingPlan& plan,
                        const NanosecondClock& now = steady_nanoseconds,
                        const std::function<double()>& speed = {}) {
    LocalRunner runner(work, now, speed);
    return time_runs(runner, plan);
}

}  // namespace edgeloop
