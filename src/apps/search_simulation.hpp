#pragma once

#include "apps/search_leader.hpp"

namespace edgeloop::apps {

/// `--simulate-workers`: the whole search in this process, on a virtual clock. Trainings take their
/// notional seconds, each times a factor that follows from the design and the run's seed alone.
/// @param probe  of the task; answers without delay, or null.
/// @throws Stopped; IoError  as SearchLeader::search().
void simulate_search(SearchLeader& leader, const SearchConfig& config, const SearchTask& task,
                     const Probes& probes);

}  // namespace edgeloop::apps
