#include "edgeloop/evaluation/metrics.hpp"

#include "edgeloop/evaluation/candidate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

TEST(MetricsTable, AFamilyHasAnyMemberAndIsNamedForThoseGiven) {
    ASSERT_NE(find_metric("val_rmse_depth_um"), nullptr);
    EXPECT_EQ(find_metric("val_rmse_depth_um")->meaning, Meaning::smaller_is_better);
    EXPECT_EQ(find_metric("val_rmse_"), nullptr) << "no member";
    EXPECT_EQ(find_metric("f1"), nullptr);
    EXPECT_THAT(
        metric_names(Source::training, Needs::nothing, Meaning::smaller_is_better, {"depth_um"}),
        ElementsAre("val_rmse", "val_rmse_depth_um", "baseline_ratio", "train_loss"));
}

TEST(MetricsTable, WhatIsOfferedDependsOnTheMeans) {
    EXPECT_THAT(metric_names(Source::measuring, Needs::nothing), ElementsAre("latency_ms"));
    EXPECT_THAT(metric_names(Source::measuring, Needs::samples), Not(Contains("energy_mj")));
    EXPECT_THAT(metric_names(Source::measuring, Needs::meter), Contains("energy_mj"));
}

TEST(MetricsTable, AMeasurementIsValidUnlessAnyOfItsMetricsSaysNo) {
    EXPECT_TRUE(measured_validly({{"latency_ms", 0}, {"latency_valid", 1}}));
    EXPECT_FALSE(measured_validly({{"latency_valid", 1}, {"latency_b4_valid", 0}}));
    EXPECT_FALSE(measured_validly({{"temperature_valid", 0}})) << "of other programs, too";
    EXPECT_TRUE(measured_validly({}));
}

}  // namespace
}  // namespace edgeloop
