#pragma once

#include "edgeloop/core/dominance.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// Front number (0 best) of every point, by non-domination.
///
/// Equal points share a front. Infinities are ordinary values.
///
/// @param points  objectives, minimised. Shape (points, objectives). No NaN.
/// @return front numbers. Shape (points).
/// @throws LogicError  rows of different length.
/// Complexity: O(N log N) for 2 objectives, O(N log^(M-1) N) for M > 2.
/// Source: Jensen, IEEE Trans. Evol. Comp. 7(5), 2003; corrected for ties by Fortin, Grenier,
/// Parizeau, GECCO 2013; proven by Buzdalov and Shalyto, PPSN 2014.
[[nodiscard]] std::vector<std::size_t> pareto_ranks(const Points& points);

}  // namespace edgeloop
