#pragma once

#include "edgeloop/space/search_space.hpp"

#include <cstdint>
#include <vector>

namespace edgeloop {

/// An evaluated member of a population. All objectives are minimised.
struct Individual {
    std::uint64_t id = 0;  ///< candidate id; breaks ties, so results never depend on order
    Genome genome;
    std::vector<double> objectives;  ///< finite; same length in one population
    double violation = 0;            ///< sum of normalised constraint violations; 0: feasible
    int rung = 0;  ///< of its training budget; members of a higher one come first, whatever else
};

}  // namespace edgeloop
