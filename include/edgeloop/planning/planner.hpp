#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/planning/calibration.hpp"
#include "edgeloop/planning/run_plan.hpp"

#include <functional>
#include <memory>
#include <string>

namespace edgeloop {

/// The run that is planned.
struct PlannedRun {
    std::function<std::unique_ptr<Engine>()> make_engine;
    std::uint64_t seed = 1;
    DataSize data;
    int ranks = 1;  ///< of which one coordinates when there are more
    int ranks_per_candidate = 1;
    int threads = 1;                 ///< of each rank
    PlanMachines machines;           ///< but for what the size of the groups decides
    double measuring_seconds = 0;    ///< of one measurement ...
    bool measuring_assumed = false;  ///< ... which nobody has said or timed
    double start_up_seconds = 0;
    double storing_seconds = 0;      ///< of one event
    double unfit = 0;                ///< share of designs that need more memory than a rank has
    double simulating_seconds = 10;  ///< for each group size
    TimedBy by;                      ///< the planning itself
};

/// @throws ConfigError  more ranks for a candidate than there are, or a group of several ranks when
///                      only groups of one were timed.
void check_plan(const PlannedRun& run, const Calibration& calibration);

/// Seconds to keep one event: predicts the run once, with the store it would have.
/// @param kept     gets the run.
/// @param seconds  spent in `kept` so far.
[[nodiscard]] double time_storing(const PlannedRun& run, const Calibration& calibration,
                                  RunStore& kept, const std::function<double()>& seconds);

/// Predicts a run for each group size: how long it takes, which size is best and what holds the run
/// up, as `--plan --json` prints it.
[[nodiscard]] Json make_plan(const PlannedRun& run, const Calibration& calibration);

/// A plan for people.
[[nodiscard]] std::string plan_text(const Json& plan);

}  // namespace edgeloop
