#include "edgeloop/evolution/sorting.hpp"

#include "edgeloop/core/dominance.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/evolution/pareto_ranks.hpp"
#include "edgeloop/evolution/thinning.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace edgeloop {
namespace {

/// Adds the fronts of members that share rung and violation, given in ascending order.
void append_fronts(const std::vector<Individual>& population,
                   const std::vector<std::size_t>& members, Fronts& fronts) {
    std::vector<std::vector<double>> points;
    points.reserve(members.size());
    for (const std::size_t i : members) points.push_back(population[i].objectives);
    const std::vector<std::size_t> ranks = pareto_ranks(points);
    const std::size_t first = fronts.size();
    fronts.resize(first + 1 + *std::max_element(ranks.begin(), ranks.end()));
    for (std::size_t k = 0; k < members.size(); ++k) fronts[first + ranks[k]].push_back(members[k]);
}

/// Least crowded first; ties by id.
void order_by_crowding(const std::vector<Individual>& population, std::vector<std::size_t>& front) {
    const std::vector<double> crowding = crowding_distance(population, front);
    std::vector<std::tuple<double, std::uint64_t, std::size_t>> keys;
    for (std::size_t k = 0; k < front.size(); ++k)
        keys.emplace_back(-crowding[k], population[front[k]].id, front[k]);
    std::sort(keys.begin(), keys.end());
    for (std::size_t k = 0; k < front.size(); ++k) front[k] = std::get<2>(keys[k]);
}

}  // namespace

bool dominates(const Individual& a, const Individual& b) {
    if (a.rung != b.rung) return a.rung > b.rung;
    if (a.violation != b.violation) return a.violation < b.violation;
    return dominates(a.objectives, b.objectives);
}

Fronts non_dominated_sort(const std::vector<Individual>& population) {
    std::vector<std::size_t> order(population.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto group = [&](std::size_t i) {
        EDGELOOP_EXPECT(!std::isnan(population[i].violation), "a violation must be a number");
        return std::pair(-population[i].rung, population[i].violation);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return group(a) < group(b); });
    Fronts fronts;
    for (auto first = order.begin(); first != order.end();) {
        const auto last = std::find_if(first, order.end(),
                                       [&](std::size_t i) { return group(i) != group(*first); });
        append_fronts(population, {first, last}, fronts);
        first = last;
    }
    return fronts;
}

std::vector<double> crowding_distance(const std::vector<Individual>& population,
                                      const std::vector<std::size_t>& front) {
    std::vector<double> distance(front.size(), 0);
    std::vector<std::size_t> order(front.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t objectives = front.empty() ? 0 : population[front[0]].objectives.size();
    for (std::size_t m = 0; m < objectives; ++m) {
        const auto value = [&](std::size_t i) { return population[front[i]].objectives[m]; };
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return std::make_tuple(value(a), population[front[a]].id) <
                   std::make_tuple(value(b), population[front[b]].id);
        });
        const double range = value(order.back()) - value(order.front());
        if (range == 0) continue;
        distance[order.front()] = distance[order.back()] = infinity;
        for (std::size_t k = 1; k + 1 < order.size(); ++k)
            distance[order[k]] += (value(order[k + 1]) - value(order[k - 1])) / range;
    }
    return distance;
}

Ranking rank(const std::vector<Individual>& population) {
    Ranking ranking;
    const Fronts fronts = non_dominated_sort(population);
    enter_fronts(population, fronts, 0, fronts.size(), ranking);
    return ranking;
}

void enter_fronts(const std::vector<Individual>& population, const Fronts& fronts,
                  std::size_t first, std::size_t last, Ranking& ranking) {
    ranking.front.resize(population.size());
    ranking.crowding.resize(population.size());
    for (std::size_t f = first; f < last; ++f) {
        const std::vector<double> crowding = crowding_distance(population, fronts[f]);
        for (std::size_t k = 0; k < fronts[f].size(); ++k) {
            ranking.front[fronts[f][k]] = f;
            ranking.crowding[fronts[f][k]] = crowding[k];
        }
    }
}

std::vector<std::size_t> select_survivors(const std::vector<Individual>& population,
                                          std::size_t count) {
    std::vector<std::size_t> survivors;
    for (const auto& front : non_dominated_sort(population)) {
        if (survivors.size() >= count) break;
        std::vector<std::size_t> kept = thin(population, front, count - survivors.size());
        order_by_crowding(population, kept);
        survivors.insert(survivors.end(), kept.begin(), kept.end());
    }
    return survivors;
}

}  // namespace edgeloop
