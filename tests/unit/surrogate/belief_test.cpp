#include "edgeloop/surrogate/belief.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace edgeloop::belief_test {
namespace {

TEST(Belief, OfAKnownNumberIsThatNumber) {
    const Belief seven = Belief::known(7);
    EXPECT_TRUE(seven.is_known());
    EXPECT_EQ(seven.median(), 7);
    EXPECT_EQ(seven.quantile(3), 7);
    EXPECT_EQ(seven.below(7), 1);
    EXPECT_EQ(seven.below(6.999), 0);
    EXPECT_EQ(seven.shortfall(9), 2);
    EXPECT_EQ(seven.shortfall(5), 0);
}

TEST(Belief, HasTheMeansAndProbabilitiesOfItsDraws) {
    const Belief belief = Belief::log_normal(2, 0.5, 0.7);
    RandomStream random(1, "belief");
    constexpr int draws = 200000;
    for (const double limit : {2.5, 3.65, 6.0}) {
        double below = 0, shortfall = 0;
        for (int i = 0; i < draws; ++i) {
            // Box and Muller.
            const double normal = std::sqrt(-2 * std::log(1 - random.uniform())) *
                                  std::cos(2 * 3.14159265358979 * random.uniform());
            const double value = 2 + std::exp(0.5 + 0.7 * normal);
            below += value <= limit ? 1 : 0;
            shortfall += std::max(0.0, limit - value);
        }
        EXPECT_NEAR(belief.below(limit), below / draws, 0.005) << limit;
        EXPECT_NEAR(belief.shortfall(limit), shortfall / draws, 0.01) << limit;
    }
    EXPECT_DOUBLE_EQ(belief.median(), 2 + std::exp(0.5));
    EXPECT_DOUBLE_EQ(belief.quantile(1), 2 + std::exp(1.2));
    EXPECT_NEAR(belief.below(belief.quantile(1)), 0.8413, 1e-4);
}

TEST(Belief, IsNeverBelowItsShiftAndStaysFiniteWhenWide) {
    EXPECT_EQ(Belief::log_normal(2, 0, 1).below(2), 0);
    EXPECT_EQ(Belief::log_normal(2, 0, 1).shortfall(1), 0);
    const double wide = Belief::log_normal(0, 0, 100).shortfall(1);
    EXPECT_TRUE(std::isfinite(wide));
    EXPECT_GT(wide, 0.3);
    EXPECT_LT(wide, 1);
    EXPECT_NEAR(Belief::log_normal(0, std::log(3), 1e-9).shortfall(5), 2, 1e-6);
}

}  // namespace
}  // namespace edgeloop::belief_test
