#include "edgeloop/search/population.hpp"

#include "edgeloop/evolution/thinning.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace edgeloop {
namespace {

template <class T>
void erase_at(std::vector<T>& items, std::size_t index) {
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(index));
}

Fronts by_front(const std::vector<std::size_t>& front) {
    Fronts fronts;
    for (std::size_t i = 0; i < front.size(); ++i) {
        if (front[i] >= fronts.size()) fronts.resize(front[i] + 1);
        fronts[front[i]].push_back(i);
    }
    return fronts;
}

}  // namespace

void Population::add(Individual individual) {
    const bool ranked = size() > 0 && ranking_.front.size() == size();
    individuals_.push_back(std::move(individual));
    if (ranked)
        rank_newcomer();
    else
        ranking_ = {};
}

// The newcomer enters the first front that has no member above it and pushes those it dominates to
// the next one, where they push others in turn. When a whole front is pushed, it and all after it
// keep their members and move down by one.
void Population::rank_newcomer() {
    const std::size_t newcomer = size() - 1;
    Fronts fronts = by_front(ranking_.front);
    const auto above = [&](std::size_t j) {
        return dominates(individuals_[j], individuals_[newcomer]);
    };
    std::size_t first = 0;
    while (first < fronts.size() && std::any_of(fronts[first].begin(), fronts[first].end(), above))
        ++first;
    std::vector<std::size_t> pushed = {newcomer};
    std::size_t last = first;
    for (; !pushed.empty() && last < fronts.size(); ++last) {
        std::vector<std::size_t> stay, leave;
        for (const std::size_t i : fronts[last]) {
            const bool below = std::any_of(pushed.begin(), pushed.end(), [&](std::size_t j) {
                return dominates(individuals_[j], individuals_[i]);
            });
            (below ? leave : stay).push_back(i);
        }
        if (stay.empty()) break;
        std::copy(pushed.begin(), pushed.end(), std::back_inserter(stay));
        fronts[last] = std::move(stay);
        pushed = std::move(leave);
    }
    if (!pushed.empty())
        fronts.insert(fronts.begin() + static_cast<std::ptrdiff_t>(last), std::move(pushed));
    enter_fronts(individuals_, fronts, first, std::min(last + 1, fronts.size()), ranking_);
    for (std::size_t f = last; f < fronts.size(); ++f)
        for (const std::size_t i : fronts[f]) ranking_.front[i] = f;
}

void Population::remove(std::uint64_t id) {
    const auto found = std::find_if(individuals_.begin(), individuals_.end(),
                                    [&](const Individual& each) { return each.id == id; });
    if (found == individuals_.end()) return;
    erase(static_cast<std::size_t>(found - individuals_.begin()));
    ranking_ = {};
}

void Population::replace(Individual individual) {
    for (Individual& each : individuals_)
        if (each.id == individual.id) each = std::move(individual);
    ranking_ = {};
}

void Population::keep_best(std::size_t count) {
    std::vector<Individual> best;
    for (const std::size_t i : select_survivors(individuals_, count))
        best.push_back(std::move(individuals_[i]));
    individuals_ = std::move(best);
    ranking_ = {};
}

// Nobody is dominated by a member of the last front, so the other fronts stay as they are.
void Population::drop_worst() {
    if (individuals_.empty()) return;
    const Ranking& ranks = ranking();
    const std::size_t last_front = *std::max_element(ranks.front.begin(), ranks.front.end());
    erase(most_crowded(by_front(ranks.front).back()));
    const Fronts fronts = by_front(ranking_.front);
    if (last_front < fronts.size())
        enter_fronts(individuals_, fronts, last_front, last_front + 1, ranking_);
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
    ranking_ = rank(individuals_);
    return ranking_;
}

void Population::erase(std::size_t index) {
    erase_at(individuals_, index);
    if (ranking_.front.empty()) return;
    erase_at(ranking_.front, index);
    erase_at(ranking_.crowding, index);
}

}  // namespace edgeloop
