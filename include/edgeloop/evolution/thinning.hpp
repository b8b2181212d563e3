#pragma once

#include "edgeloop/evolution/individual.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// The `count` members of one front that cover it best: the most crowded member leaves, its
/// neighbours are judged anew, and so on. Ties: the youngest (largest id) leaves.
///
/// Crowded is who has the smallest crowding distance for 2 objectives, and otherwise the smallest
/// product of distances to its M nearest neighbours, in objectives scaled to the front's range. Who
/// is best in one objective leaves last.
///
/// @return members of `front`, ascending.
/// Complexity: O(N log N) for 2 objectives, O(M N^2) for more.
/// Source: Kukkonen and Deb, CEC 2006 (2 objectives) and PPSN 2006 (more).
[[nodiscard]] std::vector<std::size_t> thin(const std::vector<Individual>& population,
                                            const std::vector<std::size_t>& front,
                                            std::size_t count);

}  // namespace edgeloop
