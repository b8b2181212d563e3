#include "training/regression_sums.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::regression_sums_test {
namespace {

TEST(RegressionSums, GiveTheMetricsOfAWorkedExample) {
    const std::vector<float> target{1.0F, 0.5F, 0.5F, 1.5F};
    const std::vector<float> predicted{1.1F, 0.5F, 0.5F, 1.2F};
    RegressionSums sums(raise_targets());
    sums.add(predicted.data(), target.data(), 2);
    const Metrics metrics = sums.metrics();
    EXPECT_NEAR(metrics.at("val_rmse"), std::sqrt((0.01 + 0.09) / 4), 1e-6);
    EXPECT_NEAR(metrics.at("val_rmse_speed_mm_s"), std::sqrt(0.01 / 2) * 900, 1e-4);
    EXPECT_NEAR(metrics.at("val_rmse_power_w"), std::sqrt(0.09 / 2) * 215, 1e-4);
    EXPECT_NEAR(metrics.at("r2_speed"), 1 - 0.01 / 0.125, 1e-5);
    EXPECT_NEAR(metrics.at("r2_power"), 1 - 0.09 / 0.5, 1e-5);
}

TEST(RegressionSums, TakeAnyNumberOfTargets) {
    RegressionSums one({{"depth", "um", 50}}), three({{"a", "", 1}, {"b", "", 1}, {"c", "K", 10}});
    const std::vector<float> wanted{1, 2, 3, 1, 4, 3}, predicted{1, 2, 4, 1, 4, 2};
    one.add(predicted.data(), wanted.data(), 6);
    EXPECT_NEAR(one.metrics().at("val_rmse_depth_um"), 50 * std::sqrt(2 / 6.0), 1e-9);
    EXPECT_NEAR(one.metrics().at("val_rmse"), std::sqrt(2 / 6.0), 1e-9);
    EXPECT_EQ(one.metrics().count("r2_depth"), 1U);
    three.add(predicted.data(), wanted.data(), 2);
    EXPECT_EQ(three.metrics().at("val_rmse_a"), 0);
    EXPECT_EQ(three.metrics().at("r2_b"), 1);
    EXPECT_NEAR(three.metrics().at("val_rmse_c_k"), 10, 1e-9);
    EXPECT_NEAR(three.metrics().at("val_rmse"), std::sqrt(2 / 6.0), 1e-9);
}

TEST(RegressionSums, PartsAddUpToTheWhole) {
    std::vector<float> target, predicted;
    for (int i = 0; i < 20; ++i) {
        target.push_back(0.1F * float(i));
        predicted.push_back(0.1F * float(i) + 0.01F * float(i % 3));
    }
    RegressionSums whole(raise_targets()), first = whole, second = whole;
    whole.add(predicted.data(), target.data(), 10);
    first.add(predicted.data(), target.data(), 3);
    second.add(predicted.data() + 6, target.data() + 6, 7);
    for (std::size_t i = 0; i < whole.values.size(); ++i)
        EXPECT_DOUBLE_EQ(whole.values[i], first.values[i] + second.values[i]);
}

TEST(RegressionSums, LeaveOutWhatIsNotDefined) {
    RegressionSums sums(raise_targets());
    EXPECT_THROW((void)sums.metrics(), LogicError);
    const std::vector<float> target{1.0F, 0.5F}, predicted{1.0F, 0.5F};
    sums.add(predicted.data(), target.data(), 1);
    EXPECT_EQ(sums.metrics().at("val_rmse"), 0);
    EXPECT_EQ(sums.metrics().count("r2_speed"), 0u);
}

}  // namespace
}  // namespace edgeloop::regression_sums_test
