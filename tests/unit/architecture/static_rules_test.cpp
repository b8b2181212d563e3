#include "edgeloop/architecture/static_rules.hpp"

#include "edgeloop/architecture/counts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::static_rules_test {
namespace {

using testing::HasSubstr;

std::string problem_with(const char* name, const char* pointer, const Json& value) {
    Json json = ArchitectureSpec::from_file(name).to_json();
    json[Json::json_pointer(pointer)] = value;
    return static_problem(Design(ArchitectureSpec::from_json(json, "spec"))).value_or("none");
}

Json mbconv3d() {
    return Json::parse(R"({"family": "mbconv3d", "architecture": {"stem": 8, "head": 32, "stages": [
        {"channels": 8, "stride": [1, 2, 2]}, {"channels": 16, "stride": [2, 2, 2]}]},
        "clip": {"frames": 8, "side": 32}})");
}

TEST(StaticRules, TheBaselinesCanBeBuilt) {
    EXPECT_EQ(static_problem(Design(ArchitectureSpec::from_file("human"))), std::nullopt);
    EXPECT_EQ(static_problem(Design(ArchitectureSpec::from_file("cnn3d-baseline"))), std::nullopt);
    EXPECT_EQ(static_problem(Design(ArchitectureSpec::from_json(mbconv3d(), "m"))), std::nullopt);
}

TEST(StaticRules, HeadsDivideTheWidth) {
    EXPECT_EQ(problem_with("human", "/architecture/heads/1", 5),
              "heads 5 of stage 1 do not divide its width 192");
}

TEST(StaticRules, EveryStageHasAnMlp) {
    EXPECT_EQ(problem_with("human", "/architecture/mlp_ratio", 1.0 / 64), "none");
    Json narrow = ArchitectureSpec::from_file("human").to_json();
    narrow["architecture"]["embed_dim"] = 24;
    narrow["architecture"]["mlp_ratio"] = 1.0 / 64;
    EXPECT_THAT(
        static_problem(Design(ArchitectureSpec::from_json(narrow, "spec"))).value_or("none"),
        HasSubstr("leaves stage 0 of width 24 no hidden channel"));
}

TEST(StaticRules, StagesAgree) {
    EXPECT_EQ(problem_with("human", "/architecture/heads", {3, 6}),
              "depths has 4 stages but heads has 2");
}

// What is larger than the clip is padded (patches), clipped (pools) or leaves one position
// (strides).
TEST(StaticRules, ClipsMayBeSmallerThanPatchesPoolsAndStrides) {
    EXPECT_EQ(problem_with("human", "/clip/frames", 1), "none");
    EXPECT_EQ(problem_with("human", "/clip/side", 3), "none");
    EXPECT_EQ(problem_with("cnn3d-baseline", "/clip/frames", 1), "none");
    Json json = mbconv3d();
    json["clip"]["frames"] = 1;
    EXPECT_EQ(static_problem(Design(ArchitectureSpec::from_json(json, "m"))), std::nullopt);
}

TEST(StaticRules, RefusesWhatNoMachineHolds) {
    EXPECT_THAT(problem_with("human", "/architecture/embed_dim", 1536), HasSubstr("parameters"));
    EXPECT_THAT(problem_with("human", "/training/batch", 65536), HasSubstr("MiB"));
}

TEST(StaticRules, RefusesWhatIsOverTheLimits) {
    const auto spec = ArchitectureSpec::from_file("human");
    const auto problem = [&](double parameters, double mib) {
        return static_problem(Design(spec), {parameters, mib}).value_or("none");
    };
    EXPECT_EQ(problem(3e7, 1e5), "none");
    EXPECT_THAT(problem(2e7, 1e5), HasSubstr("2.823e+07 parameters, over the limit of 2e+07"));
    EXPECT_THAT(problem(3e7, 1e3), HasSubstr("MiB, over the limit of 1000"));
}

TEST(StaticRules, TheLargestOfAllDesignsIsRefusedToo) {
    Json json = ArchitectureSpec::from_file("human").to_json();
    json["architecture"].update({{"embed_dim", 8192},
                                 {"mlp_ratio", 64},
                                 {"patch", {1, 1, 1}},
                                 {"depths", {64, 64, 64, 64}},
                                 {"heads", {1, 1, 1, 1}}});
    json["clip"] = {{"frames", 4096}, {"side", 4096}};
    EXPECT_THAT(static_problem(Design(ArchitectureSpec::from_json(json, "spec"))).value_or("none"),
                HasSubstr("parameters, over the limit"));
}

TEST(StaticRules, CountsTheParametersOfTheBaselines) {
    // 28.2 M is the published count of the human design; the second is added up by hand.
    EXPECT_NEAR(count(ArchitectureSpec::from_file("human")).parameters, 28.2e6, 0.05e6);
    const int conv = 64 * 126 + 128 * (64 * 125 + 1);
    const int dense = (128 * 8 * 10 * 10 + 1) * 256 + 257 * 128 + 129 * 2;
    EXPECT_EQ(count(ArchitectureSpec::from_file("cnn3d-baseline")).parameters, conv + dense);
}

}  // namespace
}  // namespace edgeloop::static_rules_test
