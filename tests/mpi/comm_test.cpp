#include "mpi_world.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <chrono>
#include <ctime>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::world;

double cpu_seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

/// 1 + 2 + ... + size
double triangle() { return world().size() * (world().size() + 1) / 2.0; }

TEST(Comm, ReductionsHaveTheValuesThatFollowFromRankAndSize) {
    const double own = world().rank() + 1;
    EXPECT_EQ(world().all_reduce(own, Reduction::sum), triangle());
    EXPECT_EQ(world().all_reduce(own, Reduction::max), world().size());
    std::vector<double> values(1001, own);
    world().all_reduce(values.data(), values.size(), Reduction::sum);
    EXPECT_EQ(values, std::vector<double>(1001, triangle()));
}

TEST(Comm, PendingSumsFinishWhileOthersAreStarted) {
    std::vector<std::vector<float>> buckets;
    for (int bucket = 0; bucket < 4; ++bucket)
        buckets.emplace_back(std::size_t(1 + 5000 * bucket), float((world().rank() + 1) * bucket));
    std::vector<PendingSum> pending;
    for (std::vector<float>& bucket : buckets)
        pending.push_back(world().start_sum(bucket.data(), bucket.size()));
    while (!pending.back().done()) std::this_thread::yield();
    for (PendingSum& sum : pending) sum.wait();
    for (int bucket = 0; bucket < 4; ++bucket)
        EXPECT_EQ(buckets[std::size_t(bucket)].back(), float(triangle() * bucket));
}

TEST(Comm, BroadcastCarriesTextOfAnyLengthFromAnyRoot) {
    for (int root = 0; root < world().size(); ++root) {
        std::string text =
            world().rank() == root ? std::string(std::size_t(root) * 70000, 'x') : "other";
        world().broadcast(text, root);
        EXPECT_EQ(text, std::string(std::size_t(root) * 70000, 'x'));
    }
}

TEST(Comm, AllGatherKeepsRankOrderAndEmptyPieces) {
    const std::vector<std::string> all =
        world().all_gather(std::string(std::size_t(world().rank()), 'a'));
    ASSERT_EQ(all.size(), std::size_t(world().size()));
    for (std::size_t r = 0; r < all.size(); ++r) EXPECT_EQ(all[r], std::string(r, 'a'));
}

TEST(Comm, SplitGroupsByColourAndLeavesOutNegativeOnes) {
    const std::optional<Communicator> part =
        world().split(world().rank() == 0 ? -1 : world().rank() % 2);
    EXPECT_EQ(part.has_value(), world().rank() != 0);
    if (!part) return;
    int expected = 0;
    for (int r = 1; r < world().size(); ++r) expected += r % 2 == world().rank() % 2;
    EXPECT_EQ(part->size(), expected);
    EXPECT_EQ(part->all_reduce(1, Reduction::sum), expected);
}

TEST(Comm, TheRanksOfThisNodeAreCountedWithoutTheLauncher) {
    EXPECT_EQ(MpiSession::ranks_on_node(), world().size());
}

TEST(Comm, SendNeverWaitsForAReceiverAndKeepsOrder) {
    if (world().size() == 1) {
        EXPECT_FALSE(world().try_receive());
        return;
    }
    constexpr int messages = 20;
    if (world().rank() == 0) {
        for (int r = 1; r < world().size(); ++r)
            for (int m = 0; m < messages; ++m)
                world().send(r, m, std::string(100000, char('a' + m)));
    }
    test::wait_for_all();
    if (world().rank() != 0) {
        for (int m = 0; m < messages; ++m) {
            const ReceivedMessage message = world().receive();
            EXPECT_EQ(message.source, 0);
            EXPECT_EQ(message.tag, m);
            EXPECT_EQ(message.bytes, std::string(100000, char('a' + m)));
        }
    }
    EXPECT_TRUE(world().flush(10));
    test::wait_for_all();
}

TEST(Comm, WaitingRanksSleep) {
    if (world().size() == 1) return;
    test::wait_for_all();
    const double before = cpu_seconds();
    if (world().rank() == 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    test::wait_for_all();
    EXPECT_LT(cpu_seconds() - before, 0.25);
}

TEST(Comm, SameOnAllRanksTellsADifference) {
    EXPECT_TRUE(world().is_same_on_all_ranks("seed 1"));
    const std::string own = "seed " + std::to_string(world().rank());
    EXPECT_EQ(world().is_same_on_all_ranks(own), world().size() == 1);
}

TEST(Comm, AgreePassesOneRanksErrorToAll) {
    const int failing = world().size() - 1;
    world().agree("reading", [] {});
    for (const bool own_type : {true, false}) {
        try {
            world().agree("reading", [&] {
                if (world().rank() != failing) return;
                if (own_type) throw ConfigError("no file", "nothing to read", "make one");
                throw std::bad_alloc();
            });
            FAIL() << "nothing was thrown";
        } catch (const ConfigError& error) {
            EXPECT_TRUE(own_type);
            EXPECT_EQ(error.suggestion(), "make one");
            if (world().rank() != failing) {
                EXPECT_EQ(error.problem(),
                          "reading failed on rank " + std::to_string(failing) + ": no file");
            }
        } catch (const LogicError&) {
            EXPECT_FALSE(own_type);
            EXPECT_NE(world().rank(), failing);
        } catch (const std::bad_alloc&) {
            EXPECT_FALSE(own_type);
            EXPECT_EQ(world().rank(), failing);
        }
    }
    EXPECT_EQ(world().all_reduce(1, Reduction::sum), world().size());
}

}  // namespace
}  // namespace edgeloop
