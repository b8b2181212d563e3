#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/planning/calibration.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// The machines a run would have.
struct PlanMachines {
    std::size_t groups = 1;                   ///< of ranks, each training one candidate at a time
    double cores_of_group = 1;                ///< its ranks times their threads
    double cores = 1;                         ///< that all groups share
    std::size_t devices = 0;                  ///< of each class, that measure; 0: nobody measures
    bool devices_share = false;               ///< devices are processes on the same cores
    std::vector<std::string> classes = {""};  ///< of devices; one without a name: none is named
};

/// What the parts of a run cost.
struct PlanCosts {
    /// Of one training on a group that has its cores for itself.
    std::function<double(const Candidate&)> training_seconds;
    double measuring_seconds = 0;  ///< of one measurement
    /// What a training or a measurement might deliver: it decides which designs follow.
    std::function<Metrics(const Candidate&)> trained, measured;
    double dispatch_seconds = 0;  ///< a group waits for between two candidates
    double storing_seconds = 0;   ///< to keep one event; rank 0 does nothing else meanwhile
    /// Asked all the time; once true, predicting ends with Stopped. Empty: never.
    std::function<bool()> should_stop;
};

/// How a run would go.
struct RunPrediction {
    double seconds = 0;           ///< from the first candidate to the last
    double training_seconds = 0;  ///< sum over groups
    std::uint64_t designs = 0, trainings = 0, events = 0;
    double epochs = 0;        ///< of all trainings
    double groups_busy = 0;   ///< share of all groups' time
    double devices_busy = 0;  ///< share of all devices' time
};

/// Runs engine and coordinator on a virtual clock with machines that only take time.
/// @param kept  gets the run's events and snapshots, so that their cost can be measured; null:
///              nobody does.
RunPrediction predict_run(Engine& engine, const PlanMachines& machines, const PlanCosts& costs,
                          RunStore* kept = nullptr);

/// A part of a run, and the share of its time that would be saved if this part took half as long.
struct Bottleneck {
    std::string part;  ///< training, measuring, dispatch or storing
    double saves = 0;
};

/// The part to improve first: of all parts, the one whose halving shortens the run most.
/// @param make_engine  a new engine for each trial.
Bottleneck find_bottleneck(const std::function<std::unique_ptr<Engine>()>& make_engine,
                           const PlanMachines& machines, const PlanCosts& costs);

/// The run that is planned.
struct PlannedRun {
    std::function<std::unique_ptr<Engine>()> make_engine;
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
