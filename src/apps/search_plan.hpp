#pragma once

#include "apps/search_task.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <vector>

namespace edgeloop::apps {

/// `--plan`: times trainings of the first designs that the search would propose, on a few samples,
/// for groups of 1, 2, 4 ... ranks and of --ranks-per-candidate, and, with --edge local,
/// measurements; runs the search on a virtual clock and says on stdout how long the run would take
/// and what holds it up. Collective. As many groups train at once as find cores of their own.
///
/// @throws Stopped      on all ranks, when rank 0 was asked to stop.
/// @throws ConfigError  not even the smallest design could be timed.
void plan_search(const SearchConfig& config, const SearchTask& task, const LocalAgent* agent,
                 const Communicator& world, const std::vector<RankBinding>& bindings);

}  // namespace edgeloop::apps
