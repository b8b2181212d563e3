#pragma once

#include "apps/search_task.hpp"

#include "edgeloop/cli/search_config.hpp"
#include "edgeloop/store/conditions.hpp"

#include <string>

namespace edgeloop::apps {

/// What results of this run depend on: each option by what it affects, files by their content.
[[nodiscard]] RunConditions run_conditions(const cli::SearchConfig& config, const SearchTask& task);

/// The same of a run that was begun before conditions were recorded, as far as config.ini and
/// provenance.json tell; empty when they are not there.
[[nodiscard]] RunConditions conditions_before_records(const std::string& run_dir);

}  // namespace edgeloop::apps
