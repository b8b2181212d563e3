#pragma once

#include "edgeloop/comm/binding.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// Which ranks train together. Rank 0 coordinates and is in no group.
struct GroupPlan {
    std::vector<std::vector<int>> groups;  ///< ranks of each, ascending; the first one leads
    std::vector<int> idle;                 ///< ranks that do not fill a group
    /// Indices of neighbouring groups that join for a large candidate; no group is in two.
    std::vector<std::vector<std::size_t>> blocks;

    /// Index of the group this rank is in, or -1.
    [[nodiscard]] int group_of(int rank) const;
    /// Index of the block its group is in, or -1.
    [[nodiscard]] int block_of(int rank) const;
};

/// Cuts the ranks from 1 on into groups of equal size, with neighbours in a group: first within a
/// NUMA domain, then within a node; only what is left over forms groups across nodes.
///
/// @param bindings  of all ranks, see gather_bindings(). Shape (world size).
/// @param ranks_per_candidate  size of a group; ranks that fill no group are idle.
/// @throws ConfigError  less than 1, or more than there are workers.
[[nodiscard]] GroupPlan plan_groups(const std::vector<RankBinding>& bindings,
                                    int ranks_per_candidate);

/// Lets groups join in blocks of so many, first with first; those left over join none.
/// REQUIRES: at least 1. @throws ConfigError  not even one block is full.
void plan_blocks(GroupPlan& plan, std::size_t groups_of_block);

}  // namespace edgeloop
