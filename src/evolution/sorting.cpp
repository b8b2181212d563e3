#include "edgeloop/evolution/sorting.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

namespace edgeloop {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool pareto_dominates(const std::vector<double>& a, const std::vector<double>& b) {
    bool better = false;
    for (std::size_t m = 0; m < a.size(); ++m) {
        if (a[m] > b[m]) return false;
        better = better || a[m] < b[m];
    }
    return better;
}

}  // namespace

bool dominates(const Individual& a, const Individual& b) {
    if (a.violation != b.violation) return a.violation < b.violation;
    return pareto_dominates(a.objectives, b.objectives);
}

// Efficient non-dominated sort with binary search: in lexicographic order nobody is dominated by a
// later one, and who is dominated by a member of a front is dominated by one of every earlier
// front.
Fronts non_dominated_sort(const std::vector<Individual>& population) {
    std::vector<std::size_t> order(population.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::tie(population[a].violation, population[a].objectives, a) <
               std::tie(population[b].violation, population[b].objectives, b);
    });
    Fronts fronts;
    for (const std::size_t i : order) {
        const auto dominated_by = [&](const std::vector<std::size_t>& front) {
            return std::any_of(front.rbegin(), front.rend(), [&](std::size_t j) {
                return dominates(population[j], population[i]);
            });
        };
        const auto front = std::partition_point(fronts.begin(), fronts.end(), dominated_by);
        if (front == fronts.end())
            fronts.push_back({i});
        else
            front->push_back(i);
    }
    for (auto& front : fronts) std::sort(front.begin(), front.end());
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
    Ranking ranking{std::vector<std::size_t>(population.size()),
                    std::vector<double>(population.size())};
    const Fronts fronts = non_dominated_sort(population);
    for (std::size_t f = 0; f < fronts.size(); ++f) {
        const std::vector<double> crowding = crowding_distance(population, fronts[f]);
        for (std::size_t k = 0; k < fronts[f].size(); ++k) {
            ranking.front[fronts[f][k]] = f;
            ranking.crowding[fronts[f][k]] = crowding[k];
        }
    }
    return ranking;
}

std::vector<std::size_t> select_survivors(const std::vector<Individual>& population,
                                          std::size_t count) {
    const Ranking ranking = rank(population);
    std::vector<std::size_t> order(population.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::make_tuple(ranking.front[a], -ranking.crowding[a], population[a].id) <
               std::make_tuple(ranking.front[b], -ranking.crowding[b], population[b].id);
    });
    order.resize(std::min(count, order.size()));
    return order;
}

}  // namespace edgeloop
