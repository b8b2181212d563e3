// Tensor forms in specs: what may be said, what it means, what it costs.
#include "edgeloop/architecture/low_rank.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/families.hpp"
#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/error.hpp"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::low_rank_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json cnn3d() {
    return Json::parse(R"({"family": "cnn3d",
        "architecture": {"stages": [{"channels": 8, "pool": [2, 2, 2]},
                                    {"channels": 12, "kernel": [3, 1, 5]}],
                         "hidden": [10], "norm": "affine"},
        "clip": {"frames": 4, "side": 6},
        "low_rank": {"stages": [{}, {"format": "tt", "rank_max": 4}], "dense": {}}})");
}

Json mbconv3d() {
    return Json::parse(R"({"family": "mbconv3d",
        "architecture": {"stem": 4, "head": 8, "stages": [{"channels": 6, "repeats": 2}]},
        "clip": {"frames": 4, "side": 6},
        "low_rank": {"stages": [{"format": "tt", "rank_max": 3}]}})");
}

Json swin3d() {
    return Json::parse(R"({"family": "swin3d",
        "architecture": {"embed_dim": 12, "depths": [1], "heads": [3], "window": [2, 2, 2]},
        "clip": {"frames": 4, "side": 8},
        "low_rank": {"stages": [{"format": "ttm", "rank_max": 5}]}})");
}

ArchitectureSpec spec_of(const Json& json) { return ArchitectureSpec::from_json(json, "spec"); }

std::string rejection(Json json, const char* pointer, const Json& value) {
    json[Json::json_pointer(pointer)] = value;
    try {
        return static_problem(Design(spec_of(json))).value_or("none");
    } catch (const ConfigError& error) {
        return error.problem();
    }
}

TensorLayer convolution(int inputs, int outputs, Extent3 kernel, Extent3 stride = {1, 1, 1}) {
    return {"conv", 0, false, inputs, outputs, kernel, stride};
}

TensorLayer linear(int inputs, int outputs) { return {"linear", 0, true, inputs, outputs}; }

std::int64_t weights_of(const std::vector<ChainLink>& chain) {
    return std::accumulate(
        chain.begin(), chain.end(), std::int64_t{0},
        [](std::int64_t sum, const ChainLink& link) { return sum + link.weights(); });
}

std::int64_t weights_of(const std::vector<TrainCore>& cores) {
    return std::accumulate(
        cores.begin(), cores.end(), std::int64_t{0},
        [](std::int64_t sum, const TrainCore& core) { return sum + core.weights(); });
}

TEST(LowRank, RoundTripsAndIsPartOfTheIdentity) {
    for (const Json& json : {cnn3d(), mbconv3d(), swin3d()}) {
        const ArchitectureSpec spec = spec_of(json);
        ASSERT_EQ(static_problem(Design(spec)), std::nullopt);
        EXPECT_EQ(spec_of(Json::parse(spec.canonical())).canonical(), spec.canonical());
        Json other = json;
        other["low_rank"]["stages"].back()["rank_max"] = 2;
        EXPECT_NE(spec_of(other).network_identity(), spec.network_identity());
        other = json;
        other["low_rank"]["strength"] = 2;
        EXPECT_NE(spec_of(other).identity(), spec.identity());
        EXPECT_EQ(spec_of(other).network_identity(), spec.network_identity());
    }
}

TEST(LowRank, DenseThroughoutIsTheNetworkWithoutIt) {
    Json json = cnn3d(), without = cnn3d();
    without.erase("low_rank");
    json["low_rank"] = {{"adaptation", "half-cauchy"},
                        {"stages", {{{"format", "dense"}, {"rank_max", 3}}, Json::object()}}};
    EXPECT_EQ(spec_of(json).canonical(), spec_of(without).canonical());
}

TEST(LowRank, WhatHasNoEffectDoesNotTellNetworksApart) {
    Json json = cnn3d();
    json["low_rank"]["stages"][0]["rank_max"] = 5;  // it is dense
    EXPECT_EQ(spec_of(json).identity(), spec_of(cnn3d()).identity());
    json["low_rank"]["stages"][1]["ranks"] = {2, 2, 2};
    const ArchitectureSpec found = spec_of(json);
    for (const auto& [key, value] : std::map<std::string, Json>{
             {"adaptation", "log-uniform"}, {"adapt_share", 0.1}, {"strength", 3}}) {
        Json other = json;
        other["low_rank"][key] = value;
        EXPECT_EQ(spec_of(other).identity(), found.identity()) << key;
    }
    json["low_rank"]["stages"][1]["rank_max"] = 7;
    EXPECT_EQ(spec_of(json).identity(), found.identity());
}

TEST(LowRank, RefusesWithThePlace) {
    EXPECT_EQ(rejection(cnn3d(), "/low_rank/stages/1/format", "ttm"),
              "spec: low_rank.stages[1].format: these layers have no format 'ttm'");
    EXPECT_EQ(rejection(mbconv3d(), "/low_rank/stages/0/format", "cp"),
              "spec: low_rank.stages[0].format: these layers have no format 'cp'");
    EXPECT_EQ(rejection(swin3d(), "/low_rank/stages/0/format", "tucker2"),
              "spec: low_rank.stages[0].format: these layers have no format 'tucker2'");
    EXPECT_EQ(rejection(swin3d(), "/low_rank/dense", {{"format", "tt"}}),
              "spec: low_rank.dense.format: these layers have no format 'tt'");
    EXPECT_EQ(rejection(cnn3d(), "/low_rank/stages/1/rank_target", 5),
              "spec: low_rank.stages[1].rank_target: 5 is above rank_max 4");
    EXPECT_EQ(rejection(cnn3d(), "/low_rank/stages/1/ranks", {2, 2}),
              "spec: low_rank.stages[1].ranks: 2 ranks, but these layers have 3");
    EXPECT_EQ(rejection(cnn3d(), "/low_rank/stages/1/ranks", {9, 2, 2}),
              "spec: low_rank.stages[1].ranks[0]: 9 is above 8, the largest that "
              "'stages.1.conv' can use");
    EXPECT_EQ(rejection(cnn3d(), "/low_rank/stages", Json::array({Json::object()})),
              "spec: low_rank.stages: 1 stages but the network has 2");
    EXPECT_THAT(rejection(cnn3d(), "/low_rank/stages/1/rank_max", 0), HasSubstr("rank_max"));
    EXPECT_THAT(rejection(cnn3d(), "/low_rank/stages/1/rank", 3), HasSubstr("unknown key"));
    EXPECT_THAT(rejection(cnn3d(), "/low_rank/adaptation", "magic"), HasSubstr("'magic'"));
}

TEST(LowRank, LeavesCoresInFloat) {
    Json json = cnn3d();
    const Json eight{{"weights", 8}, {"activations", 8}},
        none{{"weights", 32}, {"activations", 32}};
    json["quantisation"] = {{"stages", {eight, none}}};
    EXPECT_EQ(static_problem(Design(spec_of(json))), std::nullopt);
    json["quantisation"]["stages"][1] = eight;
    EXPECT_EQ(static_problem(Design(spec_of(json))).value_or("none"),
              "stage 1 is in the format tt and quantised; give it bits of 32, or make it dense");
}

TEST(LowRank, FactorsAreAsEqualAsTheyCanBe) {
    EXPECT_THAT(factors_of(784, 3), ElementsAre(7, 8, 14));
    EXPECT_THAT(factors_of(512, 3), ElementsAre(8, 8, 8));
    EXPECT_THAT(factors_of(10, 2), ElementsAre(2, 5));
    EXPECT_THAT(factors_of(37, 3), ElementsAre(1, 1, 37));
    EXPECT_THAT(factors_of(1, 2), ElementsAre(1, 1));
}

TEST(LowRank, ChainsHaveTheParametersOfTheFormats) {
    const TensorLayer layer = convolution(64, 128, {3, 3, 3});
    const Ranks tt = max_ranks("tt", layer, 8);
    EXPECT_THAT(tt, ElementsAre(8, 8, 8, 8));
    EXPECT_EQ(weights_of(chain_of("tt", layer, tt)), 64 * 8 + 9 * 64 + 8 * 128);
    EXPECT_EQ(weights_of(chain_of("tucker2", layer, {8, 6})), 64 * 8 + 27 * 8 * 6 + 6 * 128);
    EXPECT_EQ(weights_of(chain_of("cp", layer, {8})), 64 * 8 + 27 * 8 + 8 * 128);
    // A single input, an axis of 1, a stride: what only scales is left out.
    const std::vector<ChainLink> first =
        chain_of("tt", convolution(1, 16, {1, 3, 1}, {1, 1, 2}), {2, 2});
    ASSERT_EQ(first.size(), 3u);
    EXPECT_EQ(first[0].inputs, 1);
    EXPECT_EQ(first[0].kernel, (Extent3{1, 3, 1}));
    EXPECT_EQ(first[1].stride, (Extent3{1, 1, 2}));
    EXPECT_EQ(first[2].outputs, 16);
    EXPECT_EQ(chain_of("cp", convolution(1, 16, {3, 3, 3}), {5}).size(), 2u);
}

TEST(LowRank, RanksAreBoundedByBothSides) {
    EXPECT_THAT(max_ranks("tt", convolution(1, 64, {5, 5, 5}), 1000), ElementsAre(5, 25, 64));
    EXPECT_THAT(max_ranks("tt", convolution(6, 24, {1, 1, 1}), 1000), ElementsAre(6));
    EXPECT_THAT(max_ranks("tucker2", convolution(4, 64, {1, 1, 2}), 1000), ElementsAre(4, 8));
    EXPECT_THAT(max_ranks("cp", convolution(4, 6, {3, 1, 1}), 1000), ElementsAre(12));
    EXPECT_THAT(max_ranks("ttm", linear(784, 512), 30), ElementsAre(30, 30));
    EXPECT_THAT(max_ranks("tt", linear(6, 10), 1000), ElementsAre(3, 6, 5));
    EXPECT_EQ(weights_of(cores_of("tt", linear(384, 1536), Ranks(5, 8))), 2368);
    EXPECT_EQ(weights_of(cores_of("ttm", linear(384, 1536), Ranks(2, 8))), 7424);
}

TEST(LowRank, FinalRanksAreListedGroupByGroup) {
    const ArchitectureSpec spec = spec_of(mbconv3d());
    const std::vector<TensorLayer> layers = tensor_layers_of(spec);
    ASSERT_EQ(layers.size(), 5u);
    EXPECT_EQ(layers[2].name, "stages.0.1.expand.conv");
    const std::vector<Ranks> found{{3}, {2}, {1}, {2}};
    ArchitectureSpec settled = spec;
    settled.low_rank = with_ranks(spec.low_rank, layers, found);
    EXPECT_THAT(settled.low_rank.stages[0].ranks, ElementsAre(3, 2, 1, 2));
    EXPECT_FALSE(settled.low_rank.adapts());
    EXPECT_EQ(ranks_of(settled.low_rank, layers), found);
    EXPECT_EQ(spec_of(settled.to_json()).canonical(), settled.canonical());
    EXPECT_LT(count(settled).parameters, count(spec).parameters);
    EXPECT_EQ(count(with_final_ranks(spec)).parameters, count(spec).parameters);
}

TEST(LowRank, IsCountedByHand) {
    const ArchitectureSpec spec = spec_of(cnn3d());
    const ModelCounts counts = count(spec);
    // 8 -> 12 channels, kernel 3 x 1 x 5, ranks 4: three bonds on a grid of 2 x 3 x 3.
    const std::int64_t weights = 8 * 4 + 3 * 16 + 5 * 16 + 4 * 12, dense = 12 * 10 + 10;
    EXPECT_EQ(counts.parameters, 27 * 8 + 8 + 16 + weights + 12 + 24 + dense + 22);
    EXPECT_EQ(counts.convolution_flops, 2 * (4 * 6 * 6 * 27 * 8 + 2 * 3 * 3 * weights));
    EXPECT_EQ(counts.bond_scales, 12);
    EXPECT_EQ(counts.rounding_bytes, 4 * weights);
    const ModelCounts settled = count(with_final_ranks(spec));
    EXPECT_EQ(settled.bond_scales, 0);
    EXPECT_EQ(settled.rounding_bytes, 0);
    TrainingRecipe recipe;
    recipe.batch = 3;
    const TrainingMemory memory = training_memory(settled, recipe);
    EXPECT_EQ(memory.weights, 4.0 * settled.parameters);
    EXPECT_EQ(memory.optimiser, 8.0 * settled.parameters);
    EXPECT_EQ(memory.activations, 3.0 * settled.training_activation_bytes);
    EXPECT_EQ(memory.total(), training_bytes(settled, recipe));
    recipe.micro_batch = 2;
    EXPECT_EQ(training_memory(settled, recipe).activations,
              2.0 * settled.training_activation_bytes);
    recipe.micro_batch = 4;
    EXPECT_EQ(training_memory(settled, recipe).activations, memory.activations);
}

TEST(LowRank, LinearLayersAreCountedByHand) {
    Json json = cnn3d();
    json["low_rank"]["stages"][1] = Json::object();
    json["low_rank"]["dense"] = {{"format", "tt"}, {"ranks", {2, 3, 2}}};
    const ModelCounts tt = count(spec_of(json));
    // 12 -> 10 as (4, 3) and (2, 5), merged to 12 x 3 and 3 x 10.
    const auto& layers = tt.layers;
    const auto own = std::find_if(layers.begin(), layers.end(), [](const LayerCounts& layer) {
        return layer.name == "hidden.0";
    });
    ASSERT_NE(own, layers.end());
    EXPECT_EQ(own->kind, "tt linear");
    EXPECT_EQ(own->parameters, 4 * 2 + 2 * 3 * 3 + 3 * 2 * 2 + 2 * 5 + 10);
    EXPECT_EQ(own->flops, 2 * (12 * 3 + 3 * 10) + 2 * 4 * 2 * 3 * 3 + 2 * 3 * 2 * 2 * 5);
    EXPECT_EQ(tt.rounding_bytes, 4 * (12 * 3 + 3 * 10));
}

TEST(LowRank, RanksAreFinalAfterTheirShareOfTheEpochs) {
    LowRank half = spec_of(cnn3d()).low_rank;
    EXPECT_EQ(half.adaptive_epochs(20, 0), 10);
    EXPECT_EQ(half.adaptive_epochs(1, 0), 1) << "one epoch at least";
    EXPECT_EQ(half.adaptive_epochs(1, 1), 0);
    half.adapt_share = 1;
    EXPECT_EQ(half.adaptive_epochs(20, 0), 20);
    EXPECT_EQ(half.adaptive_epochs(20, 1), 19);
    half.adaptation = "none";
    EXPECT_EQ(half.adaptive_epochs(20, 0), 0);
}

}  // namespace
}  // namespace edgeloop::low_rank_test
