#pragma once

#include "edgeloop/evolution/individual.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// Deb's constrained domination on one rung: feasible before infeasible, then less violation, then
/// Pareto. A member of a higher rung dominates those of the lower ones.
/// Source: Deb et al., IEEE Trans. Evol. Comp. 6(2), 2002, VI.
[[nodiscard]] bool dominates(const Individual& a, const Individual& b);

/// Fronts of indices, best first; within a front ascending by index.
using Fronts = std::vector<std::vector<std::size_t>>;
[[nodiscard]] Fronts non_dominated_sort(const std::vector<Individual>& population);

/// Crowding distance of each member of `front`; larger is less crowded. An objective on which all
/// agree adds 0; extreme members get +infinity. Source: ibid., III-B.
[[nodiscard]] std::vector<double> crowding_distance(const std::vector<Individual>& population,
                                                    const std::vector<std::size_t>& front);

/// Front number (0 best) and crowding of every member.
struct Ranking {
    std::vector<std::size_t> front;
    std::vector<double> crowding;
};
[[nodiscard]] Ranking rank(const std::vector<Individual>& population);
/// Enters fronts `first` to before `last` of the population into the ranking.
void enter_fronts(const std::vector<Individual>& population, const Fronts& fronts,
                  std::size_t first, std::size_t last, Ranking& ranking);

/// Indices of the `count` survivors, best first by (front, crowding, id): NSGA-II's environmental
/// selection. The front that does not fit is thinned one member at a time, each time the most
/// crowded of those left, which spreads the rest more evenly than one cut by crowding.
///
/// Independent of the order of the population. Source of the thinning: Kukkonen and Deb, CEC 2006
/// (2 objectives: crowding distance) and PPSN 2006 (more: nearest neighbours).
[[nodiscard]] std::vector<std::size_t> select_survivors(const std::vector<Individual>& population,
                                                        std::size_t count);

}  // namespace edgeloop
