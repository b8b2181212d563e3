#pragma once

#include "apps/search_task.hpp"

#include "edgeloop/store/run_directory.hpp"

#include <string>

namespace edgeloop::apps {

/// What results of this run depend on: each option by what it affects, files by their content.
[[nodiscard]] RunConditions run_conditions(const SearchConfig& config, const SearchTask& task);

/// Of the conditions of training those that TrainingRun's identity does not name, as text: settings
/// that are not the default and younger than it, so that states of older trainings still fit.
[[nodiscard]] std::string younger_conditions(const SearchConfig& config);

/// The same of another run as its config.ini and provenance.json tell, for what its
/// conditions.json, if it has one, does not. A setting that is younger than the run had what is its
/// default now.
[[nodiscard]] RunConditions conditions_in_files(const std::string& run_dir);

}  // namespace edgeloop::apps
