#include "edgeloop/dispatch/groups.hpp"

#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::groups_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Groups, AreCutInRankOrderAndLeaveTheRestIdle) {
    const GroupPlan plan = plan_groups(std::vector<RankBinding>(8), 3);
    EXPECT_THAT(plan.groups, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(4, 5, 6)));
    EXPECT_THAT(plan.idle, ElementsAre(7));
    EXPECT_EQ(plan.group_of(0), -1);
    EXPECT_EQ(plan.group_of(5), 1);
    EXPECT_EQ(plan.group_of(7), -1);
}

TEST(Groups, AProcessAloneHasNone) {
    const GroupPlan plan = plan_groups(std::vector<RankBinding>(1), 4);
    EXPECT_THAT(plan.groups, IsEmpty());
    EXPECT_THAT(plan.idle, IsEmpty());
}

TEST(Groups, NeighboursFormBlocksAndTheRestStaysAlone) {
    GroupPlan plan = plan_groups(std::vector<RankBinding>(6), 1);
    EXPECT_THAT(plan.blocks, IsEmpty());
    plan_blocks(plan, 2);
    EXPECT_THAT(plan.blocks, ElementsAre(ElementsAre(0u, 1u), ElementsAre(2u, 3u)));
    EXPECT_EQ(plan.block_of(0), -1);
    EXPECT_EQ(plan.block_of(4), 1);
    EXPECT_EQ(plan.block_of(5), -1);
    plan_blocks(plan, 5);
    EXPECT_THAT(plan.blocks, ElementsAre(ElementsAre(0u, 1u, 2u, 3u, 4u)));
    EXPECT_THROW(plan_blocks(plan, 6), ConfigError);
}

TEST(Groups, ImpossibleSizesAreTheUsersMistake) {
    EXPECT_THROW((void)plan_groups(std::vector<RankBinding>(4), 0), ConfigError);
    EXPECT_THROW((void)plan_groups(std::vector<RankBinding>(4), 4), ConfigError);
    EXPECT_NO_THROW((void)plan_groups(std::vector<RankBinding>(4), 3));
}

TEST(Groups, StayWithinNumaDomainsAndNodesAsLongAsPossible) {
    const RankBinding left{"a", {0}, 0}, right{"a", {1}, 1}, other{"b", {0}, 0};
    // rank:                            0     1      2     3      4      5      6     7     8
    const std::vector<RankBinding> bindings{left,  right, left, right, other,
                                            right, left,  left, other};
    const GroupPlan pairs = plan_groups(bindings, 2);
    EXPECT_THAT(pairs.groups, ElementsAre(ElementsAre(1, 3), ElementsAre(2, 6), ElementsAre(4, 8),
                                          ElementsAre(5, 7)));
    EXPECT_THAT(pairs.idle, IsEmpty());
    const GroupPlan fours = plan_groups(bindings, 4);
    EXPECT_EQ(fours.groups.size(), 2u);
    const GroupPlan fives = plan_groups(bindings, 5);
    EXPECT_THAT(fives.groups, ElementsAre(ElementsAre(1, 2, 3, 6, 7)));
    EXPECT_THAT(fives.idle, ElementsAre(4, 5, 8));
}

}  // namespace
}  // namespace edgeloop::groups_test
