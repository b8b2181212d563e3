#include "edgeloop/link/fair_queue.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::fair_queue_test {
namespace {

std::vector<FairQueue::Id> drain(FairQueue& queue, const std::string& device_class = "") {
    std::vector<FairQueue::Id> order;
    while (const auto id = queue.pick(device_class)) order.push_back(*id);
    return order;
}

using Order = std::vector<FairQueue::Id>;

/// Two searches with a key each.
constexpr FairQueue::Waiter a{1, 1}, b{2, 2};

TEST(FairQueue, OneClientGetsItsJobsByPriorityThenAge) {
    FairQueue queue;
    queue.add(1, "", a, 0);
    queue.add(2, "", a, 0);
    queue.add(3, "", a, 7);
    EXPECT_EQ(drain(queue), (Order{3, 1, 2}));
    EXPECT_EQ(queue.size(), 0u);
}

TEST(FairQueue, ClientsTakeTurns) {
    FairQueue queue;
    for (FairQueue::Id id = 1; id <= 4; ++id) queue.add(id, "", a, 0);
    for (FairQueue::Id id = 11; id <= 12; ++id) queue.add(id, "", b, 0);
    EXPECT_EQ(drain(queue), (Order{1, 11, 2, 12, 3, 4}));
}

TEST(FairQueue, ManySearchesOfOneKeyAreOneAmongKeysAndTakeTurnsAmongThemselves) {
    FairQueue queue;
    for (std::uint64_t search = 1; search <= 4; ++search)
        for (std::uint64_t n = 0; n < 3; ++n)
            queue.add(10 * search + n, "", FairQueue::Waiter{9, search}, 100);
    for (FairQueue::Id id = 1; id <= 5; ++id) queue.add(id, "", FairQueue::Waiter{2, 5}, 0);
    EXPECT_EQ(drain(queue), (Order{10, 1, 20, 2, 30, 3, 40, 4, 11, 5, 21, 31, 41, 12, 22, 32, 42}));
}

TEST(FairQueue, ANewKeyIsNotBehindOneThatHasComeForLongAndNorIsOneThatComesBack) {
    FairQueue queue;
    for (FairQueue::Id id = 1; id <= 9; ++id) queue.add(id, "", a, 0);
    EXPECT_EQ(queue.pick(""), 1u);
    queue.add(100, "", b, 0);
    EXPECT_EQ(queue.pick(""), 100u);
    EXPECT_EQ(queue.pick(""), 2u);
    queue.add(101, "", b, 0);
    queue.add(102, "", b, 0);
    EXPECT_EQ(queue.pick(""), 101u);
    EXPECT_EQ(queue.pick(""), 3u) << "b has had its turn";
}

TEST(FairQueue, OfALineOnlyTheFirstFewAreAskedFor) {
    FairQueue queue;
    for (FairQueue::Id id = 1; id <= 5000; ++id) queue.add(id, "", a, 0);
    int asked = 0;
    const auto none = [&](std::uint64_t) { return ++asked < 0; };
    EXPECT_EQ(queue.pick("x", none), std::nullopt);
    EXPECT_LT(asked, 100);
}

TEST(FairQueue, SaysWhatMostJobsWaitFor) {
    FairQueue queue;
    for (FairQueue::Id id = 1; id <= 9; ++id) queue.add(id, "much", a, 0);
    queue.add(10, "little", b, 0);
    queue.add(11, "some", a, 0);
    queue.add(11, "some", b, 0);
    queue.add(12, "some", FairQueue::nobody, 0);
    const auto longest = queue.longest(2, 3);
    ASSERT_EQ(longest.size(), 2u);
    EXPECT_EQ(longest[0].device_class, "much");
    EXPECT_EQ(longest[0].jobs, 9u);
    EXPECT_EQ(longest[0].some, (Order{1, 2, 3}));
    ASSERT_EQ(longest[0].waiters.size(), 1u);
    EXPECT_TRUE(longest[0].waiters[0] == a);
    EXPECT_EQ(longest[1].device_class, "some");
    EXPECT_EQ(longest[1].jobs, 2u);
    EXPECT_EQ(longest[1].waiters.size(), 2u) << "without nobody";
    drain(queue, "much");
    EXPECT_EQ(queue.longest(5, 1).size(), 2u);
}

TEST(FairQueue, AJobOfTwoClientsLeavesBothLines) {
    FairQueue queue;
    queue.add(1, "", a, 0);
    queue.add(1, "", b, 0);
    queue.add(2, "", b, 0);
    EXPECT_EQ(drain(queue), (Order{1, 2}));
}

TEST(FairQueue, NobodysJobsComeLast) {
    FairQueue queue;
    queue.add(1, "", a, 0);
    queue.add(2, "", b, 0);
    queue.leave(1, a);
    EXPECT_EQ(drain(queue), (Order{2, 1}));
}

TEST(FairQueue, NobodysJobIsAdopted) {
    FairQueue queue;
    queue.add(1, "", FairQueue::nobody, 0);
    queue.add(2, "", b, 0);
    queue.add(1, "", a, 0);
    EXPECT_EQ(drain(queue), (Order{1, 2}));
}

TEST(FairQueue, WhatADeviceMayNotHaveStaysInItsPlace) {
    FairQueue queue;
    queue.add(1, "", a, 0);
    queue.add(2, "", a, 0);
    queue.add(3, "", b, 0);
    const auto not_first = [](std::uint64_t id) { return id != 1; };
    EXPECT_EQ(queue.pick("x", not_first), 2u);
    EXPECT_EQ(queue.pick("x", not_first), 3u);
    EXPECT_EQ(queue.pick("x", not_first), std::nullopt);
    EXPECT_EQ(queue.pick("x"), 1u);
}

TEST(FairQueue, ClassesAreKeptApart) {
    FairQueue queue;
    queue.add(1, "x", a, 0);
    queue.add(2, "", a, 0);
    queue.add(3, "y", a, 0);
    EXPECT_EQ(drain(queue, "y"), (Order{2, 3}));
    EXPECT_EQ(queue.size(), 1u);
    EXPECT_EQ(drain(queue, "x"), (Order{1}));
}

TEST(FairQueue, AChangedPriorityMovesTheJob) {
    FairQueue queue;
    queue.add(1, "", a, 0);
    queue.add(2, "", a, 0);
    queue.add(2, "", a, 1);
    EXPECT_EQ(drain(queue), (Order{2, 1}));
}

}  // namespace
}  // namespace edgeloop::fair_queue_test
