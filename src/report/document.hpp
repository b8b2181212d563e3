#pragma once

#include "report/importance.hpp"

#include "edgeloop/report/report.hpp"

#include <string>
#include <vector>

namespace edgeloop::report {

/// How the hypervolume and the best values grew, computed from the results in the order in which
/// the designs ended. Hypervolume only where the run has a reference point.
struct Growth {
    std::vector<double> done, seconds;      ///< designs and time so far; seconds NaN: not known
    std::vector<double> hypervolume;        ///< NaN: not known
    std::vector<std::vector<double>> best;  ///< shape (objectives, points)
};
[[nodiscard]] Growth growth_of(const RunView& run);

/// Hypervolume of the front of `run` up to a point; NaN: there is no point, or the front is too
/// large for its number of objectives.
[[nodiscard]] double front_hypervolume(const RunView& run, const std::vector<double>& reference);
/// The reference point of a run's own hypervolume; empty: it has none.
[[nodiscard]] std::vector<double> reference_of(const RunView& run);

/// Everything the page shows, packed as Encoder does.
[[nodiscard]] std::string document(const RunView& run, const std::vector<RunView>& others,
                                   const PageOptions& options);

}  // namespace edgeloop::report
