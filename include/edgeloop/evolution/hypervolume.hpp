#pragma once

#include "edgeloop/core/dominance.hpp"

namespace edgeloop {

/// Exact volume dominated by `points` and bounded by `reference` (minimisation). Points that do not
/// dominate the reference add nothing. @throws ConfigError  lengths differ or fewer than 2
/// objectives.
[[nodiscard]] double hypervolume(const Points& points, const Point& reference);

}  // namespace edgeloop
