#include "edgeloop/architecture/static_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using testing::HasSubstr;

std::string problem_with(const char* name, const char* pointer, const Json& value) {
    Json json = ArchitectureSpec::from_file(name).to_json();
    json[Json::json_pointer(pointer)] = value;
    return static_problem(ArchitectureSpec::from_json(json, "spec")).value_or("none");
}

Json mbconv3d() {
    return Json::parse(R"({"family": "mbconv3d", "architecture": {"stem": 8, "head": 32, "stages": [
        {"channels": 8, "stride": [1, 2, 2]}, {"channels": 16, "stride": [2, 2, 2]}]},
        "clip": {"frames": 8, "side": 32}})");
}

TEST(StaticRules, KnowsThreeFamilies) {
    EXPECT_EQ(known_families(), (std::vector<std::string>{"swin3d", "cnn3d", "mbconv3d"}));
}

TEST(StaticRules, TheBaselinesCanBeBuilt) {
    EXPECT_EQ(static_problem(ArchitectureSpec::from_file("human")), std::nullopt);
    EXPECT_EQ(static_problem(ArchitectureSpec::from_file("cnn3d-baseline")), std::nullopt);
    EXPECT_EQ(static_problem(ArchitectureSpec::from_json(mbconv3d(), "m")), std::nullopt);
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
    EXPECT_THAT(static_problem(ArchitectureSpec::from_json(narrow, "spec")).value_or("none"),
                HasSubstr("leaves stage 0 of width 24 no hidden channel"));
}

TEST(StaticRules, StagesAgree) {
    EXPECT_EQ(problem_with("human", "/architecture/heads", {3, 6}),
              "depths has 4 stages but heads has 2");
}

TEST(StaticRules, PatchesFitTheClip) {
    EXPECT_THAT(problem_with("human", "/clip/frames", 1), HasSubstr("longer than the clip of 1"));
    EXPECT_THAT(problem_with("human", "/clip/side", 3), HasSubstr("larger than the side of 3"));
}

TEST(StaticRules, PoolingLeavesSomething) {
    EXPECT_THAT(problem_with("cnn3d-baseline", "/clip/frames", 3), HasSubstr("shrinks the clip"));
    EXPECT_THAT(problem_with("cnn3d-baseline", "/architecture/stages/0/kernel/1", 4),
                HasSubstr("kernel extent 4 of stage 0 is even"));
}

TEST(StaticRules, StridesFitWhatIsLeft) {
    Json json = mbconv3d();
    json["clip"]["frames"] = 1;
    EXPECT_THAT(static_problem(ArchitectureSpec::from_json(json, "m")).value_or("none"),
                HasSubstr("stride 2 of stage 1"));
}

TEST(StaticRules, RefusesWhatNoMachineHolds) {
    EXPECT_THAT(problem_with("human", "/architecture/embed_dim", 1536), HasSubstr("parameters"));
    EXPECT_THAT(problem_with("human", "/training/batch", 65536), HasSubstr("MiB"));
}

TEST(StaticRules, CountsTheParametersOfTheBaselines) {
    // 28.2 M is the published count of the human design; the second is added up by hand.
    const auto human = ArchitectureSpec::from_file("human");
    EXPECT_NEAR(estimate_cost(human).parameters, 28.2e6, 0.05e6);
    const double conv = 64 * 126 + 128.0 * (64 * 125 + 1);
    const double dense = (128.0 * 8 * 10 * 10 + 1) * 256 + 257 * 128 + 129 * 2;
    EXPECT_EQ(estimate_cost(ArchitectureSpec::from_file("cnn3d-baseline")).parameters,
              conv + dense);
}

}  // namespace
}  // namespace edgeloop
