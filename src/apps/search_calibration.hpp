#pragma once

#include "apps/search_task.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/link/remote_probe.hpp"
#include "edgeloop/planning/error_trend.hpp"
#include "edgeloop/planning/scaling_model.hpp"

#include <string>
#include <vector>

namespace edgeloop::apps {

/// What a plan is made of, timed on this machine.
struct Calibration {
    ScalingModel training;
    ErrorTrend errors;
    std::vector<int> group_sizes;   ///< for which trainings were timed
    double dispatch_seconds = 0;    ///< a group waits for between two candidates
    double measuring_seconds = 0;   ///< of one measurement, if any was timed
    double latency_over_model = 1;  ///< measured latency as a multiple of the modelled one
    std::size_t measurements = 0;
    double seconds = 0;         ///< that all of this took
    std::size_t designs = 0;    ///< that were to be timed
    double largest_flops = 0;   ///< of these designs
    double largest_timed = 0;   ///< FLOPs of the largest that was timed
    std::size_t not_timed = 0;  ///< designs larger than that: the model extrapolates to them
    std::size_t given_up = 0;   ///< trainings that were cut off at the end of the time
};

/// Path for the files of this process's plan: beside the run's, so that the same disk is timed.
[[nodiscard]] std::string scratch_path(const cli::SearchConfig& config);

/// CPUs that these ranks may use together.
[[nodiscard]] int cores_of(const std::vector<RankBinding>& bindings);

/// Costs of a candidate's design, counted from its spec.
[[nodiscard]] DesignCosts design_costs(const Candidate& candidate);

/// Times trainings of the first designs that the search would propose, on a few samples, for groups
/// of 1, 2, 4 ... ranks and of --ranks-per-candidate; and, with --edge local, measurements.
///
/// Collective. As many groups train at once as find cores of their own. The first training of each
/// group is not counted unless there is no other. For each size of group nothing new begins after
/// --plan-seconds, and what still trains after that time again (5 s at least) is cut off; a design
/// that is not expected to end by then is not begun.
/// @return on rank 0; nothing of use on the others.
/// @throws Stopped      on all ranks, when rank 0 was asked to stop.
/// @throws ConfigError  not even the smallest design could be timed.
[[nodiscard]] Calibration calibrate(const cli::SearchConfig& config, const SearchTask& task,
                                    const LocalAgent* agent, const Communicator& world,
                                    const std::vector<RankBinding>& bindings);

}  // namespace edgeloop::apps
