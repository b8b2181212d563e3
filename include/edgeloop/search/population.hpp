#pragma once

#include "edgeloop/evolution/sorting.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// Parents of a search. Only members of the same rung are compared by their objectives; members of
/// a higher rung come before those of a lower one.
class Population {
  public:
    /// Complexity: O(M N) for M objectives and N members where a ranking is at hand and all are on
    /// one rung (plus the crowding of the fronts that change); otherwise the next ranking() sorts.
    /// Source of the update: Li, Deb, Zhang, Zhang, "Efficient non-domination level update", IEEE
    /// Trans. Cybernetics 47(9), 2017.
    void add(Individual individual, int rung);
    /// Removes the member with this id, if there is one.
    void remove(std::uint64_t id);
    /// Keeps the best `count` by rung and, within a rung, select_survivors().
    void keep_best(std::size_t count);
    /// Removes the worst member and keeps the ranking up to date, cheaper than keep_best().
    void drop_worst();

    [[nodiscard]] std::size_t size() const noexcept { return individuals_.size(); }
    [[nodiscard]] const std::vector<Individual>& individuals() const noexcept {
        return individuals_;
    }
    [[nodiscard]] const std::vector<int>& rungs() const noexcept { return rungs_; }
    /// Fronts of a lower rung are counted on from those of the higher ones.
    [[nodiscard]] const Ranking& ranking() const;

  private:
    [[nodiscard]] bool on_one_rung() const;
    [[nodiscard]] Ranking rank_by_rung() const;
    /// Who of a front thin() would remove first.
    [[nodiscard]] std::size_t most_crowded(const std::vector<std::size_t>& front) const;
    /// Puts the last individual into the ranking of the others.
    void rank_newcomer();
    void update_crowding(const Fronts& fronts, std::size_t first, std::size_t last);
    void erase(std::size_t index);

    std::vector<Individual> individuals_;
    std::vector<int> rungs_;   ///< of each individual
    mutable Ranking ranking_;  ///< of all members, or empty: to be computed
};

}  // namespace edgeloop
