#include "edgeloop/architecture/counts.hpp"

#include "unit/model/specs.hpp"

#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::counts_test {
namespace {

TEST(Counts, HumanBaselineHasThePublishedFigures) {
    const ModelCounts counts = count(test::human_baseline());
    EXPECT_NEAR(static_cast<double>(counts.parameters) / 1e6, 28.2, 0.05);
    EXPECT_NEAR(static_cast<double>(counts.matrix_flops) / 1e9, 87.3, 0.05);
    EXPECT_EQ(counts.convolution_flops, 2ll * 8 * 56 * 56 * (2 * 4 * 4) * 96);
    EXPECT_EQ(counts.flops, counts.matrix_flops + counts.convolution_flops);
    EXPECT_EQ(counts.weight_bytes, 4 * counts.parameters);
}

TEST(Counts, PlainConvolutionsByHand) {
    const ModelCounts counts = count(test::spec_of(
        "cnn3d",
        R"({"stages": [{"channels": 4, "kernel": [3, 3, 3], "pool": [2, 2, 2]}], "hidden": [5]})",
        4, 6));
    EXPECT_EQ(counts.parameters, (27 * 4 + 4) + 2 * 4 + (4 * 5 + 5) + (5 * 2 + 2));
    EXPECT_EQ(counts.flops, 2 * (4 * 6 * 6 * 27 * 4 + 4 * 5 + 5 * 2));
}

TEST(Counts, TotalsAreTheSumsOfTheLayers) {
    for (const auto& spec : {test::small_swin3d(), test::small_cnn3d()}) {
        const ModelCounts counts = count(spec);
        std::int64_t parameters = 0, flops = 0, largest = 0;
        for (const LayerCounts& layer : counts.layers) {
            parameters += layer.parameters;
            flops += layer.flops;
            largest = std::max(largest, layer.working_bytes);
        }
        EXPECT_EQ(counts.parameters, parameters);
        EXPECT_EQ(counts.flops, flops);
        EXPECT_EQ(counts.inference_activation_bytes, largest);
        EXPECT_GT(counts.training_activation_bytes, counts.inference_activation_bytes);
    }
}

TEST(SmallDesigns, AreOneOfEachFamily) {
    std::vector<std::string> names;
    for (const ArchitectureSpec& spec : test::small_designs()) names.push_back(spec.family);
    EXPECT_THAT(names, ::testing::UnorderedElementsAreArray(test::family_names()))
        << "put a design of it into tests/unit/model/specs.hpp";
}

TEST(TrainingMemory, IsWeightsGradientsOptimiserAndActivationsOfTheBatch) {
    ModelCounts counts;
    counts.weight_bytes = 1000;
    counts.training_activation_bytes = 50;
    TrainingRecipe recipe;
    recipe.batch = 3;
    EXPECT_EQ(training_bytes(counts, recipe), 4 * 1000 + 3 * 50);
    recipe.optimizer = "sgd";
    EXPECT_EQ(training_bytes(counts, recipe), 3 * 1000 + 3 * 50);
}

TEST(LatencyModel, FollowsTheRooflineByHand) {
    ModelCounts counts;
    LayerCounts arithmetic_bound;
    arithmetic_bound.flops = 2'000'000;
    LayerCounts memory_bound;
    memory_bound.flops = 1;
    memory_bound.input_bytes = 1'000'000;
    memory_bound.output_bytes = 600'000;
    memory_bound.parameters = 100'000;
    counts.layers = {arithmetic_bound, memory_bound};
    DeviceModel device;
    device.gflop_per_s = 1;
    device.gb_per_s = 2;
    device.layer_overhead_us = 10;
    device.base_overhead_us = 100;
    EXPECT_DOUBLE_EQ(analytic_latency_ms(counts, device), 0.1 + 2 + 0.01 + 1 + 0.01);
}

TEST(LatencyModel, RefusesDevicesWithoutSpeed) {
    DeviceModel device;
    device.gb_per_s = 0;
    EXPECT_THROW(static_cast<void>(analytic_latency_ms(test::small_cnn3d(), device)), ConfigError);
}

}  // namespace
}  // namespace edgeloop::counts_test
