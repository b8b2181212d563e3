#include "edgeloop/core/random_stream.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

namespace edgeloop::random_stream_test {
namespace {

// Known answers published with the generator (Random123's kat_vectors).
TEST(Philox, MatchesPublishedKnownAnswers) {
    using Block = std::array<std::uint32_t, 4>;
    EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
              (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(
        philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
        (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(
        philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
        (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Stored results depend on these numbers: a change here breaks every resume.
TEST(RandomStream, GoldenValuesNeverChange) {
    RandomStream stream(42, "golden", 3, 7);
    const std::uint64_t first = stream.next_u64();
    RandomStream again(42, "golden", 3, 7);
    EXPECT_EQ(again.next_u64(), first);
    EXPECT_EQ(first, 0x51d1910f41f972ccull);
    EXPECT_DOUBLE_EQ(RandomStream(1, "uniform").uniform(), 0.51563595902962478);
    EXPECT_DOUBLE_EQ(RandomStream(1, "normal").normal(), 0.015463840491770015);
    std::vector<int> items{0, 1, 2, 3, 4, 5, 6, 7};
    RandomStream(1, "shuffle").shuffle(items);
    EXPECT_EQ(items, (std::vector<int>{3, 0, 7, 2, 5, 4, 6, 1}));
}

TEST(RandomStream, EveryPartOfTheAddressMatters) {
    std::set<std::uint64_t> firsts;
    for (std::uint64_t seed : {0, 1})
        for (const char* purpose : {"a", "b"})
            for (std::uint32_t generation : {0u, 1u})
                for (std::uint64_t individual :
                     {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40})
                    firsts.insert(RandomStream(seed, purpose, generation, individual).next_u64());
    EXPECT_EQ(firsts.size(), 24u);
}

TEST(RandomStream, DistributionsHaveTheirMoments) {
    RandomStream stream(5, "moments");
    const int n = 200000;
    double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
    for (int i = 0; i < n; ++i) {
        const double u = stream.uniform(), z = stream.normal();
        ASSERT_GE(u, 0.0);
        ASSERT_LT(u, 1.0);
        sum += u, squares += u * u, normal_sum += z, normal_squares += z * z;
    }
    EXPECT_NEAR(sum / n, 0.5, 0.005);
    EXPECT_NEAR(squares / n, 1.0 / 3, 0.005);
    EXPECT_NEAR(normal_sum / n, 0, 0.02);
    EXPECT_NEAR(normal_squares / n, 1, 0.02);
}

TEST(RandomStream, BelowIsUniformAndBounded) {
    RandomStream stream(5, "below");
    std::array<int, 6> counts{};
    for (int i = 0; i < 60000; ++i) ++counts.at(stream.below(6));
    for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
    EXPECT_EQ(stream.below(1), 0u);
    EXPECT_THROW(static_cast<void>(stream.below(0)), LogicError);
}

TEST(RandomStream, ShuffleKeepsEveryItem) {
    std::vector<int> items(100);
    for (int i = 0; i < 100; ++i) items[static_cast<std::size_t>(i)] = i;
    auto shuffled = items;
    RandomStream(9, "shuffle").shuffle(shuffled);
    EXPECT_NE(shuffled, items);
    std::sort(shuffled.begin(), shuffled.end());
    EXPECT_EQ(shuffled, items);
}

}  // namespace
}  // namespace edgeloop::random_stream_test
