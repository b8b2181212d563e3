#pragma once

#include "apps/search_calibration.hpp"

namespace edgeloop::apps {

/// `--plan`: times trainings and measurements, runs the search on a virtual clock and says on
/// stdout how long the run would take and what holds it up. Collective.
void plan_search(const cli::SearchConfig& config, const SearchTask& task, const LocalAgent* agent,
                 const Communicator& world, const std::vector<RankBinding>& bindings);

}  // namespace edgeloop::apps
