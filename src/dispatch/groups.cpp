#include "edgeloop/dispatch/groups.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <string>

namespace edgeloop {

int GroupPlan::group_of(int rank) const {
    const auto holds = [rank](const std::vector<int>& group) {
        return std::find(group.begin(), group.end(), rank) != group.end();
    };
    const auto found = std::find_if(groups.begin(), groups.end(), holds);
    return found == groups.end() ? -1 : int(found - groups.begin());
}

GroupPlan plan_groups(int world_size, int ranks_per_candidate) {
    const int workers = world_size - 1;
    if (ranks_per_candidate < 1)
        throw ConfigError("ranks-per-candidate is " + std::to_string(ranks_per_candidate), {},
                          "use 1 or more");
    if (workers > 0 && ranks_per_candidate > workers)
        throw ConfigError("ranks-per-candidate is " + std::to_string(ranks_per_candidate) +
                              " but there are only " + std::to_string(workers) + " worker ranks",
                          "rank 0 coordinates",
                          "start " + std::to_string(ranks_per_candidate + 1) + " ranks or more");
    GroupPlan plan;
    for (int rank = 1; rank < world_size; ++rank) {
        if (plan.groups.empty() || int(plan.groups.back().size()) == ranks_per_candidate)
            plan.groups.emplace_back();
        plan.groups.back().push_back(rank);
    }
    if (!plan.groups.empty() && int(plan.groups.back().size()) < ranks_per_candidate) {
        plan.idle = plan.groups.back();
        plan.groups.pop_back();
    }
    return plan;
}

}  // namespace edgeloop
