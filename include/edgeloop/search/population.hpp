#pragma once

#include "edgeloop/evolution/sorting.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// Parents of a search, ranked incrementally.
class Population {
  public:
    /// Complexity: O(M N) for M objectives and N members where a ranking is at hand (plus the
    /// crowding of the fronts that change); otherwise the next ranking() sorts.
    /// Source of the update: Li, Deb, Zhang, Zhang, "Efficient non-domination level update", IEEE
    /// Trans. Cybernetics 47(9), 2017.
    void add(Individual individual);
    /// Removes the member with this id, if there is one.
    void remove(std::uint64_t id);
    /// Puts it in the place of the member with its id.
    void replace(Individual individual);
    /// Keeps the best `count` by select_survivors().
    void keep_best(std::size_t count);
    /// Removes the worst member and keeps the ranking up to date, cheaper than keep_best().
    void drop_worst();

    [[nodiscard]] std::size_t size() const noexcept { return individuals_.size(); }
    [[nodiscard]] const std::vector<Individual>& individuals() const noexcept {
        return individuals_;
    }
    [[nodiscard]] const Ranking& ranking() const;

  private:
    /// Who of a front thin() would remove first.
    [[nodiscard]] std::size_t most_crowded(const std::vector<std::size_t>& front) const;
    /// Puts the last individual into the ranking of the others.
    void rank_newcomer();
    void erase(std::size_t index);

    std::vector<Individual> individuals_;
    mutable Ranking ranking_;  ///< of all members, or empty: to be computed
};

}  // namespace edgeloop
