#include "edgeloop/evaluation/metrics.hpp"

#include "edgeloop/evaluation/candidate.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::metrics_test {
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
        ElementsAre("val_rmse", "val_rmse_depth_um", "baseline_ratio", "train_loss",
                    "peak_training_mib"));
}

TEST(MetricsTable, WhatAClassOfDevicesMeasuresHasItsNameBehindIt) {
    ASSERT_NE(find_metric("latency_ms@arm/pi-4_b.2+x"), nullptr);
    EXPECT_EQ(find_metric("latency_ms@board"), find_metric("latency_ms"));
    EXPECT_TRUE(has_meaning("latency_valid@board", Meaning::validity));
    EXPECT_FALSE(has_meaning("latency_ms@board_valid", Meaning::validity));
    EXPECT_FALSE(measured_validly({{"latency_valid@board", 1}, {"latency_valid@pi", 0}}));
    for (const char* none : {"val_rmse@board", "flops@board", "f1@board", "latency_ms@", "@board"})
        EXPECT_EQ(find_metric(none), nullptr) << none;
    EXPECT_EQ(split_metric("latency_ms@board").metric, "latency_ms");
    EXPECT_EQ(split_metric("latency_ms@board").device_class, "board");
    EXPECT_EQ(split_metric("latency_ms").device_class, "");
    EXPECT_EQ(metric_of_class("latency_ms", "board"), "latency_ms@board");
    EXPECT_EQ(metric_of_class("latency_ms", ""), "latency_ms");
    EXPECT_EQ(metric_of_class("parameters", "board"), "parameters") << "of the design";
    EXPECT_TRUE(refusal({{"latency_ms@board", 1}}, Source::measuring, nullptr))
        << "a device does not speak for a class";
    for (const char* name : {"board", "rtl-zynq7020", "arm/pi-4_b.2+x", "7"})
        EXPECT_TRUE(is_class_name(name)) << name;
    for (const char* name : {"", "-x", "a b", "a@b", "a,b", "a;b", "a:b", "\xc3\xa4"})
        EXPECT_FALSE(is_class_name(name)) << name;
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

TEST(MetricsTable, EachPartMayDeliverWhatTheTableGivesToIt) {
    const std::vector<std::string> targets{"speed", "speed_mm_s"}, batches{"4"};
    EXPECT_FALSE(refusal({{"val_rmse", 0.1},
                          {"val_rmse_speed_mm_s", 90},
                          {"r2_speed", -3},
                          {"train_loss", -0.5},
                          {"best_epoch", 3},
                          {"train_epochs", 8}},
                         Source::training, &targets));
    EXPECT_EQ(refusal({{"val_rmse_depth", 1}}, Source::training, &targets),
              "'val_rmse_depth' (1) is not what a training gives");
    EXPECT_EQ(refusal({{"latency_ms", 1}}, Source::training, &targets),
              "'latency_ms' (1) is not what a training gives");
    EXPECT_EQ(refusal({{"train_seconds", 1}}, Source::training, &targets),
              "'train_seconds' (1) is not what a training gives");
    EXPECT_FALSE(refusal({{"latency_ms", 1}, {"latency_b4_ms", 2}, {"parameters", 7}},
                         Source::measuring, &batches));
    EXPECT_EQ(refusal({{"latency_b8_ms", 1}}, Source::measuring, &batches),
              "'latency_b8_ms' (1) is not what a device measures");
    EXPECT_FALSE(refusal({{"parameters", 7}, {"flops", 9e15}}, Source::design, nullptr));
    EXPECT_EQ(refusal({{"val_rmse", 1}}, Source::design, nullptr),
              "'val_rmse' (1) is not what a design tells");
}

TEST(MetricsTable, WithoutMembersAFamilyOfBatchSizesIsOpenAndOneOfWordsIsNot) {
    EXPECT_FALSE(refusal({{"latency_b8_p99_ms", 1}}, Source::measuring, nullptr));
    for (const char* name : {"latency_b1_ms", "latency_b0_ms", "latency_b04_ms", "latency_b_ms",
                             "latency_b12345_ms", "latency_bx_ms", "latency_b8_made_up_ms"})
        EXPECT_TRUE(refusal({{name, 1}}, Source::measuring, nullptr)) << name;
    EXPECT_TRUE(refusal({{"temperature_valid", 1}}, Source::measuring, nullptr));
    EXPECT_TRUE(refusal({{"val_rmse_speed", 1}}, Source::training, nullptr));
}

TEST(MetricsTable, AValueOutOfItsRangeIsNamed) {
    EXPECT_EQ(refusal({{"latency_valid", 2}}, Source::measuring, nullptr),
              "latency_valid is 2, and has to be 0 or 1");
    EXPECT_EQ(refusal({{"val_rmse", std::nan("")}}, Source::training, nullptr),
              "val_rmse is nan, and has to be at least 0");
    EXPECT_EQ(refusal({{"r2_speed", 1.5}}, Source::training, nullptr)->find("'r2_speed'"), 0u);
    EXPECT_FALSE(refusal({{"train_loss", std::nan("")}}, Source::training, nullptr));
    EXPECT_TRUE(refusal({{"best_epoch", 1.5}}, Source::training, nullptr));
}

TEST(MetricsTable, ANameOfAFamilyIsNoMemberOfIt) {
    EXPECT_EQ(find_metric("latency_b#_ms"), nullptr);
    EXPECT_EQ(find_metric("val_rmse_*")->name, "val_rmse_*") << "a target may be called so";
    EXPECT_THAT(metric_names(Source::measuring, Needs::circumstance, {}, {"4"}),
                Contains("latency_b4_p90_ms"));
    EXPECT_THAT(metric_names(Source::measuring, Needs::circumstance),
                Not(Contains("latency_b#_ms")));
}

}  // namespace
}  // namespace edgeloop::metrics_test
