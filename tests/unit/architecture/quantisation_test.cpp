// Bits in specs: what may be said, what it means, what it costs.
#include "edgeloop/architecture/quantisation.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::quantisation_test {
namespace {

using testing::HasSubstr;

Json bits(int weights, int activations) {
    return {{"weights", weights}, {"activations", activations}};
}

Json cnn3d() {
    return Json::parse(R"({"family": "cnn3d",
        "architecture": {"stages": [{"channels": 4, "pool": [2, 2, 2]}, {"channels": 6}],
                         "hidden": [5], "norm": "affine"},
        "clip": {"frames": 4, "side": 6},
        "quantisation": {"stages": [{}, {"weights": 2, "activations": 4}],
                         "dense": {"weights": 3, "activations": 2}}})");
}

Json mbconv3d() {
    return Json::parse(R"({"family": "mbconv3d",
        "architecture": {"stem": 4, "head": 8, "norm": "affine", "activation": "relu",
                         "stages": [{"channels": 6, "expansion": 2}]},
        "clip": {"frames": 4, "side": 6},
        "quantisation": {"stages": [{"weights": 1, "activations": 1}]}})");
}

Json swin3d() {
    return Json::parse(R"({"family": "swin3d",
        "architecture": {"embed_dim": 6, "depths": [1], "heads": [3], "window": [2, 2, 2]},
        "clip": {"frames": 4, "side": 8},
        "quantisation": {"stages": [{"weights": 4, "activations": 2}]}})");
}

ArchitectureSpec spec_of(const Json& json) { return ArchitectureSpec::from_json(json, "spec"); }

std::string problem_with(Json json, const char* pointer, const Json& value) {
    json[Json::json_pointer(pointer)] = value;
    return static_problem(Design(spec_of(json))).value_or("none");
}

std::string rejection(const Json& quantisation) {
    Json json = cnn3d();
    json["quantisation"] = quantisation;
    try {
        (void)spec_of(json);
        return "none";
    } catch (const ConfigError& error) {
        return error.problem();
    }
}

TEST(Quantisation, SpecsFromBeforeKeepTheirTextAndDigests) {
    const auto human = ArchitectureSpec::from_file("human");
    EXPECT_EQ(human.identity().hex(), "a62e4f7922319b825a6004cf79213c47");
    EXPECT_EQ(human.network_identity().hex(), "9d50737230144d5ddc823bc4b5898d53");
    const auto baseline = ArchitectureSpec::from_file("cnn3d-baseline");
    EXPECT_EQ(baseline.identity().hex(), "0fcb765709b4877c9ee5e47779b94d24");
    EXPECT_EQ(baseline.network_identity().hex(), "24e368511770d31ca99b524020554de7");
    const char* const text =
        R"({"architecture":{"dropout":0.0,"head":8,"stages":[{"channels":6,"expansion":4.0,)"
        R"("kernel":[3,3,3],"repeats":1,"squeeze":0.25,"stride":[1,1,1]}],"stem":4},)"
        R"("clip":{"frames":16,"side":64,"stride":1},"family":"mbconv3d","training":{"batch":8,)"
        R"("epochs":2,"gamma":0.1,"learning_rate":0.001,"optimizer":"adam","schedule":"step",)"
        R"("step_epochs":10,"weight_decay":0.0}})";
    const ArchitectureSpec mbconv = spec_of(Json::parse(text));
    EXPECT_EQ(mbconv.canonical(), text);
    EXPECT_EQ(mbconv.identity().hex(), "2c8aa361f4cc467c829e306ff2f25229");
    EXPECT_EQ(mbconv.network_identity().hex(), "1816a9d8c364bd718183a6f6ca9d5136");
}

TEST(Quantisation, RoundTripsAndIsPartOfTheIdentity) {
    for (const Json& json : {cnn3d(), mbconv3d(), swin3d()}) {
        const ArchitectureSpec spec = spec_of(json);
        ASSERT_EQ(static_problem(Design(spec)), std::nullopt);
        const ArchitectureSpec again = spec_of(Json::parse(spec.canonical()));
        EXPECT_EQ(again.canonical(), spec.canonical());
        Json other = json;
        other["quantisation"]["stages"][0]["weights"] = 5;
        EXPECT_NE(spec_of(other).network_identity(), spec.network_identity());
    }
}

TEST(Quantisation, TheWarmStartIsNoPartOfTheNetworksIdentity) {
    Json longer = cnn3d();
    longer["quantisation"]["float_share"] = 0.75;
    EXPECT_NE(spec_of(longer).identity(), spec_of(cnn3d()).identity());
    EXPECT_EQ(spec_of(longer).network_identity(), spec_of(cnn3d()).network_identity());
    longer["quantisation"]["quantiser"] = "vecq";
    EXPECT_NE(spec_of(longer).network_identity(), spec_of(cnn3d()).network_identity());
}

TEST(Quantisation, FirstAndLastLayerHaveEightBitsUnlessSaidOtherwise) {
    const Quantisation read = spec_of(cnn3d()).quantisation;
    EXPECT_EQ(read.stages[0], (Bits{8, 8}));
    EXPECT_EQ(read.last, (Bits{8, 8}));
    EXPECT_EQ(read.stages[1], (Bits{2, 4}));
    EXPECT_EQ(spec_of(mbconv3d()).quantisation.first, (Bits{8, 8}));
}

TEST(Quantisation, BitsOf32ThroughoutAreTheFloatNetwork) {
    Json json = cnn3d();
    json["quantisation"] = {
        {"stages", {bits(32, 32), bits(32, 32)}}, {"dense", bits(32, 32)}, {"last", bits(32, 32)}};
    Json without = cnn3d();
    without.erase("quantisation");
    EXPECT_EQ(spec_of(json).canonical(), spec_of(without).canonical());
    json["quantisation"]["last"]["weights"] = 8;
    EXPECT_NE(spec_of(json).identity(), spec_of(without).identity());
}

TEST(Quantisation, WhatNoLayerHasDoesNotTellNetworksApart) {
    Json json = cnn3d();
    json["quantisation"]["first"] = bits(2, 8);  // its first stage reads the clip
    EXPECT_EQ(spec_of(json).identity(), spec_of(cnn3d()).identity());
    Json bare = cnn3d();
    bare["architecture"]["hidden"] = Json::array();
    Json other = bare;
    other["quantisation"]["dense"] = bits(7, 1);
    EXPECT_EQ(spec_of(other).identity(), spec_of(bare).identity());
}

TEST(Quantisation, HasTheBitsThatRunSomewhere) {
    for (int number = 0; number <= 33; ++number) {
        const bool weights = (number >= 1 && number <= 8) || number == 32;
        const bool activations = weights && number != 5 && number != 6 && number != 7;
        EXPECT_EQ(rejection({{"stages", {bits(8, 8), bits(number, 8)}}}) == "none", weights);
        EXPECT_EQ(rejection({{"stages", {bits(8, 8), bits(8, number)}}}) == "none", activations);
    }
    EXPECT_EQ(rejection({{"stages", {bits(8, 8), bits(8, 6)}}}),
              "spec: quantisation.stages[1].activations: 6 is not one of: 1, 2, 3, 4, 8, 32");
    EXPECT_THAT(rejection({{"stages", {bits(8, 8), bits(8, 8)}}, {"last", bits(9, 8)}}),
                HasSubstr("quantisation.last.weights: 9"));
    EXPECT_THAT(rejection({{"stages", Json::array()}}), HasSubstr("length 0"));
    EXPECT_THAT(rejection(Json::object()), HasSubstr("'stages' is missing"));
    EXPECT_THAT(rejection({{"stages", Json::array({bits(8, 8)})}, {"bits", 3}}),
                HasSubstr("unknown key"));
    EXPECT_THAT(rejection({{"stages", Json::array({bits(8, 8)})}, {"quantiser", "pact"}}),
                HasSubstr("'pact' is not one of: lsq, vecq"));
    EXPECT_THAT(rejection({{"stages", Json::array({bits(8, 8)})}, {"float_share", 1.01}}),
                HasSubstr("float_share"));
}

TEST(Quantisation, NeedsANormThatFolds) {
    EXPECT_EQ(problem_with(cnn3d(), "/architecture/norm", "affine"), "none");
    EXPECT_EQ(problem_with(cnn3d(), "/architecture/norm", "none"), "none");
    EXPECT_EQ(problem_with(cnn3d(), "/architecture/norm", "frozen"), "none");
    EXPECT_THAT(problem_with(cnn3d(), "/architecture/norm", "group"), HasSubstr("folds"));
    EXPECT_EQ(problem_with(mbconv3d(), "/architecture/norm", "affine"), "none");
    EXPECT_THAT(problem_with(mbconv3d(), "/architecture/norm", "group"), HasSubstr("folds"));
    EXPECT_THAT(problem_with(mbconv3d(), "/architecture/activation", "silu"), HasSubstr("relu"));
    EXPECT_THAT(problem_with(mbconv3d(), "/architecture/stages/0/squeeze", 0.25),
                HasSubstr("squeeze"));
    // The dense layers alone may be quantised behind any norm.
    Json dense = cnn3d();
    dense["architecture"]["norm"] = "group";
    dense["quantisation"]["stages"] = {bits(32, 32), bits(32, 32)};
    EXPECT_EQ(static_problem(Design(spec_of(dense))), std::nullopt);
}

TEST(Quantisation, FitsTheLayers) {
    EXPECT_EQ(problem_with(cnn3d(), "/quantisation/stages", Json::array({bits(8, 8)})),
              "quantisation has 1 stages but the network has 2");
    EXPECT_THAT(problem_with(cnn3d(), "/quantisation/stages/0/activations", 4),
                HasSubstr("grey values of 8 bits"));
    EXPECT_EQ(problem_with(cnn3d(), "/quantisation/stages/0/activations", 32), "none");
    EXPECT_THAT(problem_with(mbconv3d(), "/quantisation/first", bits(8, 2)),
                HasSubstr("grey values of 8 bits"));
    EXPECT_EQ(problem_with(swin3d(), "/quantisation/stages/0/activations", 2), "none");
    EXPECT_THAT(problem_with(swin3d(), "/quantisation/stages/0/activations", 1),
                HasSubstr("2 bits are the fewest"));
}

TEST(Quantisation, BeginsAfterItsShareOfTheEpochs) {
    Quantisation half = spec_of(cnn3d()).quantisation;
    EXPECT_EQ(half.first_epoch(20), 10);
    EXPECT_EQ(half.first_epoch(3), 1);
    EXPECT_EQ(half.first_epoch(1), 0) << "one epoch at least";
    half.float_share = 1;
    EXPECT_EQ(half.first_epoch(5), 4);
    half.float_share = 0;
    EXPECT_EQ(half.first_epoch(5), 0);
    EXPECT_EQ(Quantisation().first_epoch(5), 5) << "never";
}

TEST(Quantisation, IsCountedByHand) {
    const ModelCounts counts = count(spec_of(cnn3d()));
    const std::int64_t conv0 = 27 * 4, conv1 = 27 * 4 * 6, dense = 6 * 5, last = 5 * 2;
    // Weights at their bits, 64 for each channel.
    EXPECT_EQ(counts.model_bits,
              conv0 * 8 + 4 * 64 + conv1 * 2 + 6 * 64 + dense * 3 + 5 * 64 + last * 8 + 2 * 64);
    const std::int64_t positions0 = 4 * 6 * 6, positions1 = 2 * 3 * 3;
    EXPECT_EQ(counts.bit_operations, positions0 * conv0 * 8 * 8 + positions1 * conv1 * 2 * 4 +
                                         dense * 3 * 2 + last * 8 * 8);
    // Steps of weights: one a channel. Of activations: one a tensor, but none for the clip, and one
    // more before the mean.
    EXPECT_EQ(counts.parameters, conv0 + 4 + 8 + conv1 + 6 + 12 + dense + 5 + last + 2 +
                                     (4 + 6 + 5 + 2) + (1 + 1 + 1 + 1));
    Json vecq = cnn3d();
    vecq["quantisation"]["quantiser"] = "vecq";
    EXPECT_EQ(count(spec_of(vecq)).parameters, counts.parameters - (4 + 6 + 5 + 2));
    EXPECT_EQ(count(spec_of(vecq)).model_bits, counts.model_bits);
}

TEST(Quantisation, AFloatNetworkHas32BitsOfEverything) {
    const ModelCounts counts = count(ArchitectureSpec::from_file("human"));
    EXPECT_EQ(counts.model_bits, 32 * counts.parameters);
    EXPECT_EQ(counts.bit_operations, counts.flops / 2 * 32 * 32);
    EXPECT_EQ(counts.rounding_bytes, 0);
}

}  // namespace
}  // namespace edgeloop::quantisation_test
