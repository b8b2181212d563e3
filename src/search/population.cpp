#include "edgeloop/search/population.hpp"

#include "edgeloop/evolution/thinning.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace edgeloop {
namespace {

template <class T>
void erase_at(std::vector<T>& items, std::size_t index) {
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(index));
}

}  // namespace

void Population::add(Individual individual, int rung) {
    individuals_.push_back(std::move(individual));
    rungs_.push_back(rung);
    ranking_ = {};
}

void Population::remove(std::uint64_t id) {
    const auto found = std::find_if(individuals_.begin(), individuals_.end(),
                                    [&](const Individual& each) { return each.id == id; });
    if (found == individuals_.end()) return;
    erase(static_cast<std::size_t>(found - individuals_.begin()));
    ranking_ = {};
}

void Population::keep_best(std::size_t count) {
    Population best;
    for (const int rung : std::set<int, std::greater<>>(rungs_.begin(), rungs_.end())) {
        std::vector<Individual> group;
        for (std::size_t i = 0; i < size(); ++i)
            if (rungs_[i] == rung) group.push_back(std::move(individuals_[i]));
        for (const std::size_t i : select_survivors(group, count - best.size()))
            best.add(std::move(group[i]), rung);
    }
    *this = std::move(best);
}

// Nobody is dominated by a member of the last front, so the other fronts stay as they are.
void Population::drop_worst() {
    if (individuals_.empty()) return;
    const Ranking& ranks = ranking();
    const std::size_t last_front = *std::max_element(ranks.front.begin(), ranks.front.end());
    erase(most_crowded(front_members(last_front)));
    const std::vector<std::size_t> front = front_members(last_front);
    const std::vector<double> crowding = crowding_distance(individuals_, front);
    for (std::size_t k = 0; k < front.size(); ++k) ranking_.crowding[front[k]] = crowding[k];
}

std::vector<std::size_t> Population::front_members(std::size_t front) const {
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < size(); ++i)
        if (ranking_.front[i] == front) members.push_back(i);
    return members;
}

std::size_t Population::most_crowded(const std::vector<std::size_t>& front) const {
    if (individuals_[front[0]].objectives.size() > 2) {
        const std::vector<std::size_t> kept = thin(individuals_, front, front.size() - 1);
        return *std::mismatch(front.begin(), front.end() - 1, kept.begin()).first;
    }
    // With two objectives thin() goes by crowding distance, which is at hand.
    return *std::min_element(front.begin(), front.end(), [&](std::size_t a, std::size_t b) {
        return std::tie(ranking_.crowding[a], individuals_[b].id) <
               std::tie(ranking_.crowding[b], individuals_[a].id);
    });
}

const Ranking& Population::ranking() const {
    if (ranking_.front.size() == size()) return ranking_;
    const bool one_rung =
        std::adjacent_find(rungs_.begin(), rungs_.end(), std::not_equal_to<>()) == rungs_.end();
    ranking_ = one_rung ? rank(individuals_) : rank_by_rung();
    return ranking_;
}

Ranking Population::rank_by_rung() const {
    Ranking ranking{std::vector<std::size_t>(size()), std::vector<double>(size())};
    std::size_t fronts_before = 0;
    for (const int rung : std::set<int, std::greater<>>(rungs_.begin(), rungs_.end())) {
        std::vector<std::size_t> indices;
        std::vector<Individual> group;
        for (std::size_t i = 0; i < size(); ++i) {
            if (rungs_[i] != rung) continue;
            indices.push_back(i);
            group.push_back(individuals_[i]);
        }
        const Ranking ranks = rank(group);
        for (std::size_t k = 0; k < indices.size(); ++k) {
            ranking.front[indices[k]] = fronts_before + ranks.front[k];
            ranking.crowding[indices[k]] = ranks.crowding[k];
        }
        fronts_before += 1 + *std::max_element(ranks.front.begin(), ranks.front.end());
    }
    return ranking;
}

void Population::erase(std::size_t index) {
    erase_at(individuals_, index);
    erase_at(rungs_, index);
    if (ranking_.front.empty()) return;
    erase_at(ranking_.front, index);
    erase_at(ranking_.crowding, index);
}

}  // namespace edgeloop
