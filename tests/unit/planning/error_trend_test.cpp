#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/planning/calibration.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::error_trend_test {
namespace {

std::vector<TrainedSize> made(double gain, double scatter, std::size_t count) {
    RandomStream random(1, "errors");
    std::vector<TrainedSize> designs;
    for (std::size_t i = 0; i < count; ++i) {
        const double decades = random.uniform(6, 9);
        designs.push_back(
            {std::pow(10, decades), std::exp(3 - gain * decades + scatter * random.normal())});
    }
    return designs;
}

TEST(ErrorTrend, FindsGainAndScatter) {
    const ErrorTrend trend = error_trend(made(0.3, 0.1, 4000));
    EXPECT_NEAR(trend.gain, 0.3, 0.01);
    EXPECT_NEAR(trend.scatter, 0.1, 0.01);
}

TEST(ErrorTrend, DoesNotBelieveThatLargerDesignsErrMore) {
    const ErrorTrend trend = error_trend(made(-0.3, 0, 100));
    EXPECT_EQ(trend.gain, 0);
    EXPECT_NEAR(trend.scatter, 0.3 * 3 / std::sqrt(12), 0.03);  // of a uniform size, 3 decades wide
}

TEST(ErrorTrend, SaysNothingFromTooLittle) {
    for (const auto& designs : {made(1, 0, 2), std::vector<TrainedSize>(5, {1e6, 0.3})}) {
        EXPECT_EQ(error_trend(designs).gain, ErrorTrend{}.gain);
        EXPECT_EQ(error_trend(designs).scatter, ErrorTrend{}.scatter);
    }
}

}  // namespace
}  // namespace edgeloop::error_trend_test
