#include "edgeloop/dispatch/groups.hpp"

#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Groups, AreCutInRankOrderAndLeaveTheRestIdle) {
    const GroupPlan plan = plan_groups(8, 3);
    EXPECT_THAT(plan.groups, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(4, 5, 6)));
    EXPECT_THAT(plan.idle, ElementsAre(7));
    EXPECT_EQ(plan.group_of(0), -1);
    EXPECT_EQ(plan.group_of(5), 1);
    EXPECT_EQ(plan.group_of(7), -1);
}

TEST(Groups, AProcessAloneHasNone) {
    const GroupPlan plan = plan_groups(1, 4);
    EXPECT_THAT(plan.groups, IsEmpty());
    EXPECT_THAT(plan.idle, IsEmpty());
}

TEST(Groups, ImpossibleSizesAreTheUsersMistake) {
    EXPECT_THROW((void)plan_groups(4, 0), ConfigError);
    EXPECT_THROW((void)plan_groups(4, 4), ConfigError);
    EXPECT_NO_THROW((void)plan_groups(4, 3));
}

}  // namespace
}  // namespace edgeloop
