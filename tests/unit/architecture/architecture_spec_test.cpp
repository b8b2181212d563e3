#include "edgeloop/architecture/architecture_spec.hpp"

#include "edgeloop/core/error.hpp"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::architecture_spec_test {
namespace {

using testing::HasSubstr;

Json human() { return ArchitectureSpec::from_file("human").to_json(); }

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

std::string rejection(const Json& json) {
    return error_of([&] { (void)ArchitectureSpec::from_json(json, "spec.json"); });
}

TEST(ArchitectureSpec, FillsInTheFamilysDefaults) {
    Json short_form = human();
    for (const char* key : {"window", "mlp_ratio", "head_hidden", "drop_path", "dropout"})
        short_form["architecture"].erase(key);
    const auto spec = ArchitectureSpec::from_json(short_form, "spec.json");
    EXPECT_EQ(spec.canonical(), ArchitectureSpec::from_file("human").canonical());
}

TEST(ArchitectureSpec, RoundTripsThroughJson) {
    for (const char* name : {"human", "cnn3d-baseline"}) {
        const auto spec = ArchitectureSpec::from_file(name);
        const auto again = ArchitectureSpec::from_json(spec.to_json(), "again");
        EXPECT_EQ(again.canonical(), spec.canonical());
        EXPECT_EQ(again.identity(), spec.identity());
    }
}

TEST(ArchitectureSpec, EqualNumbersInOtherNotationAreEqualSpecs) {
    Json other = human();
    other["architecture"]["mlp_ratio"] = 4.0;
    other["architecture"]["embed_dim"] = 96.0;
    EXPECT_EQ(ArchitectureSpec::from_json(other, "a").identity(),
              ArchitectureSpec::from_file("human").identity());
}

TEST(ArchitectureSpec, TrainingIsNoPartOfTheNetworksIdentity) {
    auto spec = ArchitectureSpec::from_file("human");
    const Digest whole = spec.identity(), network = spec.network_identity();
    spec.training.learning_rate *= 2;
    EXPECT_NE(spec.identity(), whole);
    EXPECT_EQ(spec.network_identity(), network);
    spec.clip.side = 112;
    EXPECT_NE(spec.network_identity(), network);
}

TEST(ArchitectureSpec, SaysOfHardwareOnlyWhatItWasTold) {
    const auto spec = ArchitectureSpec::from_file("cnn3d-baseline");
    EXPECT_FALSE(spec.hardware);
    EXPECT_EQ(spec.canonical().find("hardware"), std::string::npos);
    Json json = spec.to_json();
    json["hardware"] = {{"cycles", 2000}};
    const auto with = ArchitectureSpec::from_json(json, "spec.json");
    ASSERT_TRUE(with.hardware);
    EXPECT_EQ(*with.hardware, (Hardware{2000, "lut", "logic"}));
    EXPECT_EQ(with.to_json().at("hardware"),
              (Json{{"cycles", 2000}, {"weights", "lut"}, {"multipliers", "logic"}}));
    EXPECT_NE(with.identity(), spec.identity());
    EXPECT_NE(with.network_identity(), spec.network_identity()) << "circuits differ in latency";
    EXPECT_EQ(ArchitectureSpec::from_json(with.to_json(), "again").canonical(), with.canonical());
    json["hardware"]["cycles"] = 0;
    EXPECT_THAT(rejection(json), HasSubstr("hardware.cycles"));
    json["hardware"] = {{"weights", "flash"}};
    EXPECT_THAT(rejection(json), HasSubstr("'flash' is not one of: lut, bram"));
}

TEST(ArchitectureSpec, SaysWhatGreyValuesBecomeOnlyWhereItIsNotAsPublished) {
    auto spec = ArchitectureSpec::from_file("human");
    const Digest whole = spec.identity(), network = spec.network_identity();
    EXPECT_EQ(spec.canonical().find("deviation"), std::string::npos);
    spec.clip.mean = 0.04;
    spec.clip.deviation = 0.11;
    EXPECT_NE(spec.identity(), whole) << "it is trained on other numbers";
    EXPECT_EQ(spec.network_identity(), network) << "and as fast";
    const auto again = ArchitectureSpec::from_json(spec.to_json(), "again");
    EXPECT_EQ(again.clip.mean, 0.04);
    EXPECT_EQ(again.clip.deviation, 0.11);
    spec.clip.mean = ClipShape().mean;
    spec.clip.deviation = ClipShape().deviation;
    EXPECT_EQ(spec.identity(), whole);
    Json none = human();
    none["clip"]["deviation"] = 0;
    EXPECT_NE(rejection(none).find("clip.deviation"), std::string::npos) << rejection(none);
}

TEST(ArchitectureSpec, SaysOfMicroBatchesOnlyThatThereAreSome) {
    ArchitectureSpec spec = ArchitectureSpec::from_file("human");
    EXPECT_EQ(spec.canonical().find("micro_batch"), std::string::npos);
    spec.training.micro_batch = 2;
    EXPECT_EQ(ArchitectureSpec::from_json(spec.to_json(), "again").training.micro_batch, 2);
}

TEST(ArchitectureSpec, StepParametersOfOtherSchedulesDoNotMatter) {
    Json a = human(), b = human();
    a["training"]["schedule"] = b["training"]["schedule"] = "cosine";
    b["training"]["gamma"] = 0.7;
    b["training"]["step_epochs"] = 3;
    EXPECT_EQ(ArchitectureSpec::from_json(a, "a").identity(),
              ArchitectureSpec::from_json(b, "b").identity());
}

TEST(ArchitectureSpec, NamesThePlaceOfEveryMistake) {
    struct Mistake {
        const char* pointer;
        Json value;
        const char* expected;
    };
    const std::vector<Mistake> mistakes{
        {"/famly", "swin3d", "unknown key 'famly'"},
        {"/family", "swin4d", "spec.json: family: unknown family 'swin4d'"},
        {"/family", 3, "spec.json: family: expected text, found number"},
        {"/architecture", 3, "spec.json: architecture: expected an object"},
        {"/architecture/colour", "red", "unknown key 'colour'"},
        {"/architecture/depths", {1000000000, 1, 1, 1}, "architecture.depths[0]: value 1000000000"},
        {"/architecture/depths", {1, 1, 1, 1, 1}, "architecture.depths: length 5"},
        {"/architecture/depths/2", 1.5, "architecture.depths[2]: expected an integer, found 1.5"},
        {"/architecture/depths/2", "six", "architecture.depths[2]: expected an integer, found"},
        {"/architecture/patch", Json::array(), "architecture.patch: length 0"},
        {"/architecture/drop_path", -0.1, "architecture.drop_path: value -0.1"},
        {"/clip/side", 0, "clip.side: value 0"},
        {"/clip/sides", 1, "did you mean 'side'?"},
        {"/training/optimizer", "adm", "training.optimizer: 'adm' is not one of: adam, adamw, sgd"},
        {"/training/learning_rate", nullptr, "training.learning_rate: expected a number"},
    };
    for (const Mistake& mistake : mistakes) {
        Json json = human();
        json[Json::json_pointer(mistake.pointer)] = mistake.value;
        EXPECT_THAT(rejection(json), HasSubstr(mistake.expected)) << mistake.pointer;
    }
    Json missing = human();
    missing["architecture"].erase("embed_dim");
    EXPECT_THAT(rejection(missing), HasSubstr("spec.json: architecture: 'embed_dim' is missing"));
    EXPECT_THAT(rejection(Json(7)), HasSubstr("expected an object, found number"));
}

TEST(ArchitectureSpec, AnUnknownNameListsTheShippedSpecs) {
    EXPECT_THAT(error_of([] { (void)ArchitectureSpec::from_file("nobody"); }),
                HasSubstr("cnn3d-baseline, human"));
}

}  // namespace
}  // namespace edgeloop::architecture_spec_test
