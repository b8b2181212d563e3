#include "edgeloop/evolution/thinning.hpp"

#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <tuple>

namespace edgeloop {
namespace {

/// One member with its objectives scaled to [0, 1] over the front; all equal: 0.
struct Scaled {
    std::size_t index;  // into the population
    std::uint64_t id;
    std::vector<double> at;
};
using ScaledFront = std::vector<Scaled>;

ScaledFront scaled(const std::vector<Individual>& population,
                   const std::vector<std::size_t>& front) {
    ScaledFront members;
    for (const std::size_t i : front)
        members.push_back({i, population[i].id, population[i].objectives});
    for (std::size_t m = 0; m < members[0].at.size(); ++m) {
        double low = infinity, high = -infinity;
        for (const Scaled& member : members) {
            low = std::min(low, member.at[m]);
            high = std::max(high, member.at[m]);
        }
        for (Scaled& member : members)
            member.at[m] = high > low ? (member.at[m] - low) / (high - low) : 0;
    }
    return members;
}

/// Thinning by crowding distance, kept up to date along one chain of members for each objective.
class CrowdingThinning {
  public:
    CrowdingThinning(const std::vector<Individual>& population,
                     const std::vector<std::size_t>& front)
        : population_(population), front_(front) {
        const std::size_t objectives = population[front[0]].objectives.size();
        for (std::size_t m = 0; m < objectives; ++m) add_chain(m);
        for (std::size_t k = 0; k < front.size(); ++k) queue_.insert(entry(k));
    }

    std::vector<std::size_t> keep(std::size_t count) {
        while (queue_.size() > count) remove(queue_.begin()->member);
        std::vector<std::size_t> kept;
        for (const Entry& left : queue_) kept.push_back(front_[left.member]);
        return kept;
    }

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    struct Chain {
        std::size_t objective;
        double range;
        std::vector<std::size_t> before, behind;  // by member; none at the ends
    };
    struct Entry {
        double crowding;
        std::uint64_t id;
        std::size_t member;
        bool operator<(const Entry& other) const {
            return std::tie(crowding, other.id) < std::tie(other.crowding, id);
        }
    };

    [[nodiscard]] double value(std::size_t member, std::size_t objective) const {
        return population_[front_[member]].objectives[objective];
    }

    /// An objective on which all agree tells nobody apart and gets no chain.
    void add_chain(std::size_t m) {
        std::vector<std::size_t> order(front_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return std::make_tuple(value(a, m), population_[front_[a]].id) <
                   std::make_tuple(value(b, m), population_[front_[b]].id);
        });
        const double range = value(order.back(), m) - value(order.front(), m);
        if (range == 0) return;
        Chain chain{m, range, std::vector<std::size_t>(order.size(), none),
                    std::vector<std::size_t>(order.size(), none)};
        for (std::size_t k = 1; k < order.size(); ++k) {
            chain.before[order[k]] = order[k - 1];
            chain.behind[order[k - 1]] = order[k];
        }
        chains_.push_back(std::move(chain));
    }

    [[nodiscard]] Entry entry(std::size_t member) const {
        double crowding = 0;
        for (const Chain& chain : chains_) {
            const std::size_t before = chain.before[member], behind = chain.behind[member];
            const bool at_end = before == none || behind == none;
            crowding += at_end ? infinity
                               : (value(behind, chain.objective) - value(before, chain.objective)) /
                                     chain.range;
        }
        return {crowding, population_[front_[member]].id, member};
    }

    void remove(std::size_t member) {
        std::set<std::size_t> neighbours;
        for (const Chain& chain : chains_)
            for (const std::size_t one : {chain.before[member], chain.behind[member]})
                if (one != none) neighbours.insert(one);
        queue_.erase(entry(member));
        for (const std::size_t one : neighbours) queue_.erase(entry(one));
        for (Chain& chain : chains_) {
            const std::size_t before = chain.before[member], behind = chain.behind[member];
            if (before != none) chain.behind[before] = behind;
            if (behind != none) chain.before[behind] = before;
        }
        for (const std::size_t one : neighbours) queue_.insert(entry(one));
    }

    const std::vector<Individual>& population_;
    const std::vector<std::size_t>& front_;
    std::vector<Chain> chains_;
    std::set<Entry> queue_;  // most crowded first
};

/// Thinning of a front of any number of objectives by distances to nearest neighbours.
class VicinityThinning {
  public:
    explicit VicinityThinning(ScaledFront members)
        : members_(std::move(members)), neighbours_(members_.size()), is_best_(members_.size()) {
        for (std::size_t m = 0; m < members_[0].at.size(); ++m) is_best_[best_in(m)] = true;
        for (std::size_t k = 0; k < members_.size(); ++k) alive_.push_back(k);
        for (const std::size_t k : alive_) find_neighbours(k);
    }

    std::vector<std::size_t> keep(std::size_t count) {
        while (alive_.size() > count) remove(most_crowded());
        std::vector<std::size_t> kept;
        for (const std::size_t k : alive_) kept.push_back(members_[k].index);
        return kept;
    }

  private:
    struct Neighbour {
        double distance;
        std::size_t member;
        bool operator<(const Neighbour& other) const { return distance < other.distance; }
    };
    struct Vicinity {
        std::vector<Neighbour> nearest;
        double size = 0;  // product of the distances
    };

    [[nodiscard]] std::size_t best_in(std::size_t m) const {
        const auto best = std::min_element(
            members_.begin(), members_.end(), [m](const Scaled& a, const Scaled& b) {
                return std::tie(a.at[m], a.at, a.id) < std::tie(b.at[m], b.at, b.id);
            });
        return static_cast<std::size_t>(best - members_.begin());
    }

    [[nodiscard]] double distance(std::size_t a, std::size_t b) const {
        double sum = 0;
        for (std::size_t m = 0; m < members_[a].at.size(); ++m) {
            const double gap = members_[a].at[m] - members_[b].at[m];
            sum += gap * gap;
        }
        return std::sqrt(sum);
    }

    void find_neighbours(std::size_t k) {
        std::vector<Neighbour> all;
        all.reserve(alive_.size());
        for (const std::size_t other : alive_)
            if (other != k) all.push_back({distance(k, other), other});
        const std::size_t wanted = std::min(members_[k].at.size(), all.size());
        std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(wanted),
                          all.end());
        all.resize(wanted);
        double size = is_best_[k] ? infinity : 1;
        for (const Neighbour& one : all) size *= is_best_[k] ? 1 : one.distance;
        neighbours_[k] = {std::move(all), size};
    }

    [[nodiscard]] std::size_t most_crowded() const {
        return *std::min_element(alive_.begin(), alive_.end(), [&](std::size_t a, std::size_t b) {
            return std::tie(neighbours_[a].size, members_[b].id) <
                   std::tie(neighbours_[b].size, members_[a].id);
        });
    }

    void remove(std::size_t k) {
        alive_.erase(std::lower_bound(alive_.begin(), alive_.end(), k));
        for (const std::size_t other : alive_) {
            const auto& nearest = neighbours_[other].nearest;
            if (std::any_of(nearest.begin(), nearest.end(),
                            [k](const Neighbour& one) { return one.member == k; }))
                find_neighbours(other);
        }
    }

    ScaledFront members_;
    std::vector<Vicinity> neighbours_;
    std::vector<bool> is_best_;
    std::vector<std::size_t> alive_;  // ascending
};

}  // namespace

std::vector<std::size_t> thin(const std::vector<Individual>& population,
                              const std::vector<std::size_t>& front, std::size_t count) {
    if (count >= front.size()) return front;
    std::vector<std::size_t> kept = population[front[0]].objectives.size() == 2
                                        ? CrowdingThinning(population, front).keep(count)
                                        : VicinityThinning(scaled(population, front)).keep(count);
    std::sort(kept.begin(), kept.end());
    return kept;
}

}  // namespace edgeloop
