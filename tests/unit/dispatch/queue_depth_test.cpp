#include "dispatch/queue_depth.hpp"

#include <gtest/gtest.h>

namespace edgeloop::queue_depth_test {
namespace {

TEST(QueueDepth, StaysAtOneForLongCandidates) {
    QueueDepth depth;
    EXPECT_EQ(depth.value(), 1u);
    for (int i = 0; i < 100; ++i) depth.learn(0.5);
    EXPECT_EQ(depth.value(), 1u);
}

TEST(QueueDepth, DoublesUpToItsLimitForInstantOnes) {
    QueueDepth depth;
    depth.learn(1e-7);
    EXPECT_EQ(depth.value(), 2u);
    for (int i = 0; i < 100; ++i) depth.learn(1e-7);
    EXPECT_EQ(depth.value(), 512u);
}

TEST(QueueDepth, IsNeverDeeperThanAllowed) {
    QueueDepth depth(1);
    for (int i = 0; i < 100; ++i) depth.learn(1e-7);
    EXPECT_EQ(depth.value(), 1u);
}

TEST(QueueDepth, TwoLongCandidatesOutweighManyShortOnesAndASingleOneDoesNot) {
    QueueDepth depth;
    for (int i = 0; i < 30; ++i) depth.learn(1e-6);
    depth.learn(1.0);
    EXPECT_EQ(depth.value(), 512u);
    depth.learn(1.0);
    EXPECT_EQ(depth.value(), 1u);
    for (int i = 0; i < 10; ++i) depth.learn(1e-6);
    EXPECT_EQ(depth.value(), 1u);
    for (int i = 0; i < 30; ++i) depth.learn(1e-6);
    EXPECT_EQ(depth.value(), 512u);
}

}  // namespace
}  // namespace edgeloop::queue_depth_test
