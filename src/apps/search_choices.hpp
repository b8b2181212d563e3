#pragma once

#include "apps/search_config.hpp"

#include <string>
#include <vector>

namespace edgeloop::apps {

/// Refuses an objective that is given twice, and a metric that nothing delivers, before hours of
/// training find out. @throws ConfigError
void require_known_metrics(const Goals& goals, const std::vector<std::string>& delivered);

/// Completes the goals of a search over networks: without objectives, val_rmse and the latency, or
/// the FLOPs when nothing is measured.
///
/// @param edge     as `--edge` says.
/// @param targets  of the dataset, as in names of metrics.
/// @return metrics of the goals that measuring has to deliver.
/// @throws ConfigError  a goal that such a search does not deliver.
std::vector<std::string> settle_goals(Goals& goals, const std::string& edge,
                                      const std::vector<std::string>& targets);

/// The space with the full training budget of --epochs or the last of --rungs in every recipe, so
/// that schedules such as cosine span the budget that is really trained.
/// @throws ConfigError  the space searches the budget itself.
[[nodiscard]] SearchSpace space_with_budget(const SearchConfig& config);

/// Puts the designs of --seed-specs into the first population.
///
/// @return what the user should know about them; one line each.
/// @throws ConfigError  a design that is not of the space; more designs than evaluations.
[[nodiscard]] std::vector<std::string> add_given_designs(const std::vector<std::string>& paths,
                                                         const SearchSpace& space,
                                                         const StaticMetrics& counted,
                                                         EngineSettings& engine);

/// Refuses a space of which no design may be trained. @throws ConfigError with an example of why.
void require_designs(const SearchSpace& space, const EngineSettings& engine,
                     const StaticMetrics& counted);

/// FLOPs of the median design of the space; 0: none is allowed.
[[nodiscard]] double median_flops(const SearchSpace& space);

}  // namespace edgeloop::apps
