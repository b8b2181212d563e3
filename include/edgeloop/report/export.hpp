#pragma once

#include "edgeloop/report/run_view.hpp"

#include <string>

namespace edgeloop::report {

// A run for other programs; src/report/README.md says what is where.

/// A table of all designs: the columns of evaluations.csv, and from the journal `on_front`,
/// `parents`, `proposed_s` and `ended_s`.
[[nodiscard]] std::string export_csv(const RunView& run);
/// Everything that is known of the run, of each design with its trainings and measurements.
[[nodiscard]] std::string export_json(const RunView& run);
/// A journal file of Optuna with one study, a trial for each design.
/// Source of the format: optuna/storages/journal of Optuna 4 and 5 (github.com/optuna/optuna).
[[nodiscard]] std::string export_optuna(const RunView& run);

}  // namespace edgeloop::report
