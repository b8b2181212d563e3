#pragma once

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/evolution/sorting.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace edgeloop {

/// Defaults are those of Deb et al. 2002.
struct VariationSettings {
    double crossover_probability = 0.9;
    double crossover_eta = 15;  ///< distribution index of SBX
    double mutation_probability =
        -1;                    ///< per gene; negative: 1 / number of existing genes that can vary
    double mutation_eta = 20;  ///< distribution index of polynomial mutation
};

/// Binary tournament of two different members by (front, crowding, id). @return index of the
/// winner.
[[nodiscard]] std::size_t tournament(const std::vector<Individual>& population,
                                     const Ranking& ranking, RandomStream& random);

/// Winners of `count` tournaments in which everyone takes part equally often, give or take once:
/// every round of tournaments pairs the whole population at random. Less drift than drawing
/// contestants one by one. @return indices, in random order. REQUIRES: a population.
/// Source: the authors' NSGA-II code.
[[nodiscard]] std::vector<std::size_t> mating_pool(const std::vector<Individual>& population,
                                                   const Ranking& ranking, std::size_t count,
                                                   RandomStream& random);

/// Two children by crossover and mutation according to each gene's kind; canonical, inside the
/// space, possibly infeasible by its constraints.
[[nodiscard]] std::pair<Genome, Genome> vary(const SearchSpace& space, const Genome& a,
                                             const Genome& b, const VariationSettings& settings,
                                             RandomStream& random);
/// Mutation alone.
void mutate(const SearchSpace& space, Genome& genome, const VariationSettings& settings,
            RandomStream& random);

}  // namespace edgeloop
