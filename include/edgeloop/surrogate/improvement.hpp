#pragma once

#include "edgeloop/core/dominance.hpp"
#include "edgeloop/surrogate/belief.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// Expected hypervolume improvement: by how much a design is expected to enlarge what a front
/// dominates, when its objectives are believed independently of each other.
///
/// What no member dominates is cut into boxes; in each of them the improvement is a product over
/// the objectives, so its mean is one of shortfalls. Exact, for any number of objectives.
/// Source: Emmerich, Deutz, Klinkenberg, "Hypervolume-based expected improvement", IEEE CEC 2011;
/// boxes by slicing along the last objective.
class ImprovementRegion {
  public:
    /// @param front      Shape (members, objectives); dominated members do no harm.
    /// @param reference  what is at least as bad adds nothing. Shape (objectives).
    /// Complexity: 2 objectives O(n log n); each more up to n times as many boxes, so a larger
    /// front is thinned first, to 60 members (3 objectives) or 15 (more): the best of each
    /// objective and others spread along the first.
    ImprovementRegion(const Points& front, const Point& reference);

    /// @param beliefs  Shape (objectives).
    [[nodiscard]] double expected(const std::vector<Belief>& beliefs) const;

    [[nodiscard]] std::size_t boxes() const { return boxes_.size(); }

  private:
    /// Per objective the numbers of its lower and upper limit in limits_; lower 0: none.
    using Box = std::vector<std::pair<std::size_t, std::size_t>>;

    void slice(const Points& front, std::size_t objective, Box box);

    Points limits_;  ///< of each objective, ascending; the first stands for minus infinity
    std::vector<Box> boxes_;
};

}  // namespace edgeloop
