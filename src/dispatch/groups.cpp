#include "edgeloop/dispatch/groups.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <string>
#include <utility>

namespace edgeloop {

namespace {

/// Index of the list that holds the item, or -1.
template <class Item>
int index_with(Item item, const std::vector<std::vector<Item>>& lists) {
    const auto found = std::find_if(lists.begin(), lists.end(), [item](const auto& list) {
        return std::find(list.begin(), list.end(), item) != list.end();
    });
    return found == lists.end() ? -1 : int(found - lists.begin());
}

void check_size(int workers, int ranks_per_candidate) {
    if (ranks_per_candidate < 1)
        throw ConfigError("ranks-per-candidate is " + std::to_string(ranks_per_candidate), {},
                          "use 1 or more");
    if (workers > 0 && ranks_per_candidate > workers)
        throw ConfigError("ranks-per-candidate is " + std::to_string(ranks_per_candidate) +
                              " but there are only " + std::to_string(workers) + " worker ranks",
                          "rank 0 coordinates",
                          "start " + std::to_string(ranks_per_candidate + 1) + " ranks or more");
}

/// Moves as many whole groups as possible from the front of `ranks` into the plan; the rest stays.
void cut(std::vector<int>& ranks, std::size_t size, GroupPlan& plan) {
    std::size_t used = 0;
    for (; ranks.size() - used >= size; used += size) {
        const auto first = ranks.begin() + std::ptrdiff_t(used);
        plan.groups.emplace_back(first, first + std::ptrdiff_t(size));
    }
    ranks.erase(ranks.begin(), ranks.begin() + std::ptrdiff_t(used));
}

}  // namespace

int GroupPlan::group_of(int rank) const { return index_with(rank, groups); }

int GroupPlan::block_of(int rank) const {
    const int group = group_of(rank);
    return group < 0 ? -1 : index_with(std::size_t(group), blocks);
}

GroupPlan plan_groups(const std::vector<RankBinding>& bindings, int ranks_per_candidate) {
    check_size(int(bindings.size()) - 1, ranks_per_candidate);
    const auto size = std::size_t(ranks_per_candidate);
    GroupPlan plan;
    std::map<std::pair<std::string, int>, std::vector<int>> domains;
    for (int rank = 1; rank < int(bindings.size()); ++rank)
        domains[{bindings[std::size_t(rank)].host, bindings[std::size_t(rank)].numa}].push_back(
            rank);
    std::map<std::string, std::vector<int>> nodes;
    for (auto& [domain, ranks] : domains) {
        cut(ranks, size, plan);
        std::vector<int>& node = nodes[domain.first];
        node.insert(node.end(), ranks.begin(), ranks.end());
    }
    for (auto& [host, ranks] : nodes) {
        cut(ranks, size, plan);
        plan.idle.insert(plan.idle.end(), ranks.begin(), ranks.end());
    }
    cut(plan.idle, size, plan);
    for (std::vector<int>& group : plan.groups) std::sort(group.begin(), group.end());
    std::sort(plan.groups.begin(), plan.groups.end());
    std::sort(plan.idle.begin(), plan.idle.end());
    return plan;
}

void plan_blocks(GroupPlan& plan, std::size_t groups_of_block) {
    plan.blocks.clear();
    for (std::size_t first = 0; first + groups_of_block <= plan.groups.size();
         first += groups_of_block) {
        std::vector<std::size_t>& block = plan.blocks.emplace_back(groups_of_block);
        std::iota(block.begin(), block.end(), first);
    }
    if (plan.blocks.empty())
        throw ConfigError("a large candidate is to train on " + std::to_string(groups_of_block) +
                              " groups but there are only " + std::to_string(plan.groups.size()),
                          {}, "start more ranks, or use smaller groups");
}

}  // namespace edgeloop
