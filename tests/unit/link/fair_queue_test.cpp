#include "edgeloop/link/fair_queue.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

std::vector<FairQueue::Id> drain(FairQueue& queue, const std::string& device_class = "") {
    std::vector<FairQueue::Id> order;
    while (const auto id = queue.pick(device_class)) order.push_back(*id);
    return order;
}

using Order = std::vector<FairQueue::Id>;

TEST(FairQueue, OneClientGetsItsJobsByPriorityThenAge) {
    FairQueue queue;
    queue.add(1, "", "a", 0);
    queue.add(2, "", "a", 0);
    queue.add(3, "", "a", 7);
    EXPECT_EQ(drain(queue), (Order{3, 1, 2}));
    EXPECT_EQ(queue.size(), 0u);
}

TEST(FairQueue, ClientsTakeTurns) {
    FairQueue queue;
    for (FairQueue::Id id = 1; id <= 4; ++id) queue.add(id, "", "a", 0);
    for (FairQueue::Id id = 11; id <= 12; ++id) queue.add(id, "", "b", 0);
    EXPECT_EQ(drain(queue), (Order{1, 11, 2, 12, 3, 4}));
}

TEST(FairQueue, AJobOfTwoClientsLeavesBothLines) {
    FairQueue queue;
    queue.add(1, "", "a", 0);
    queue.add(1, "", "b", 0);
    queue.add(2, "", "b", 0);
    EXPECT_EQ(drain(queue), (Order{1, 2}));
}

TEST(FairQueue, NobodysJobsComeLast) {
    FairQueue queue;
    queue.add(1, "", "a", 0);
    queue.add(2, "", "b", 0);
    queue.leave(1, "a");
    EXPECT_EQ(drain(queue), (Order{2, 1}));
}

TEST(FairQueue, NobodysJobIsAdopted) {
    FairQueue queue;
    queue.add(1, "", "", 0);
    queue.add(2, "", "b", 0);
    queue.add(1, "", "a", 0);
    EXPECT_EQ(drain(queue), (Order{1, 2}));
}

TEST(FairQueue, WhatADeviceMayNotHaveStaysInItsPlace) {
    FairQueue queue;
    queue.add(1, "", "a", 0);
    queue.add(2, "", "a", 0);
    queue.add(3, "", "b", 0);
    const auto not_first = [](std::uint64_t id) { return id != 1; };
    EXPECT_EQ(queue.pick("x", not_first), 2u);
    EXPECT_EQ(queue.pick("x", not_first), 3u);
    EXPECT_EQ(queue.pick("x", not_first), std::nullopt);
    EXPECT_EQ(queue.pick("x"), 1u);
}

TEST(FairQueue, ClassesAreKeptApart) {
    FairQueue queue;
    queue.add(1, "x", "a", 0);
    queue.add(2, "", "a", 0);
    queue.add(3, "y", "a", 0);
    EXPECT_EQ(drain(queue, "y"), (Order{2, 3}));
    EXPECT_EQ(queue.size(), 1u);
    EXPECT_EQ(drain(queue, "x"), (Order{1}));
}

TEST(FairQueue, AChangedPriorityMovesTheJob) {
    FairQueue queue;
    queue.add(1, "", "a", 0);
    queue.add(2, "", "a", 0);
    queue.add(2, "", "a", 1);
    EXPECT_EQ(drain(queue), (Order{2, 1}));
}

}  // namespace
}  // namespace edgeloop
