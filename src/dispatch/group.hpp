#pragma once

#include "queue_depth.hpp"

#include "edgeloop/dispatch/groups.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <cstddef>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include <fmt/ranges.h>

namespace edgeloop {

/// A group as the coordinator sees it.
struct Group {
    std::vector<int> ranks;
    std::vector<Candidate> unsent;
    std::deque<Candidate> running;  ///< sent, in the order in which they are evaluated
    QueueDepth depth;
    double started_s = 0;    ///< when the front of `running` began
    double paused_s = 0;     ///< DispatchOptions::paused_s then
    double heard_s = 0;      ///< when the group last said anything
    double cancelled_s = 0;  ///< when the front of `running` was cancelled; 0: it was not
    bool timed_out = false;  ///< the front of `running` ran past its limit
    bool stalled = false;
    bool trusted = true;    ///< by its account; otherwise it gets one candidate at a time
    bool reserved = false;  ///< for a large candidate that waits
    bool lent = false;      ///< works under the first group of its block
    bool joined = false;    ///< the others of its block work under it
    std::size_t block = none;

    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    [[nodiscard]] int leader() const { return ranks.front(); }
    [[nodiscard]] std::size_t load() const { return unsent.size() + running.size(); }
    [[nodiscard]] std::size_t room() const {
        const std::size_t max_load = trusted ? depth.value() : 1;
        if (stalled || reserved || lent || joined || load() >= max_load) return 0;
        return max_load - load();
    }
    void front_begins(double now, double paused) {
        started_s = heard_s = now;
        paused_s = paused;
        cancelled_s = 0;
        timed_out = false;
    }
};

/// @param depth  that each begins with.
inline std::vector<Group> groups_of(const GroupPlan& plan, const QueueDepth& depth) {
    std::vector<Group> groups(plan.groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
        groups[i].ranks = plan.groups[i];
        groups[i].depth = depth;
    }
    return groups;
}

/// Rank 0 has an account behind those of the groups when it trains too.
inline std::vector<std::string> labels_of(const GroupPlan& plan, bool own_work) {
    std::vector<std::string> labels;
    for (const std::vector<int>& ranks : plan.groups)
        labels.push_back(fmt::format("{} {}", ranks.size() > 1 ? "the group of ranks" : "rank",
                                     fmt::join(ranks, ", ")));
    if (own_work) labels.emplace_back("rank 0");
    return labels;
}

}  // namespace edgeloop
