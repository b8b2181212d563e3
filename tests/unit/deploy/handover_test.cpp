#include "edgeloop/deploy/handover.hpp"

#include "deploy/new_folder.hpp"
#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::handover_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::set<std::string> names_in(const std::string& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
    return names;
}

TEST(NewFolder, AppearsWhenItIsWhole) {
    const test::TemporaryFolder temporary;
    const std::string path = temporary.path("a/b/out/");
    {
        NewFolder folder(path);
        folder.write("file", "text");
        folder.write("program", "text", true);
        EXPECT_FALSE(fs::exists(path));
        folder.commit();
    }
    EXPECT_EQ(names_in(temporary.path("a/b")), std::set<std::string>{"out"});
    EXPECT_EQ(read_file(path + "file"), "text");
    EXPECT_EQ(fs::status(path + "file").permissions() & fs::perms::owner_exec, fs::perms::none);
    EXPECT_NE(fs::status(path + "program").permissions() & fs::perms::owner_exec, fs::perms::none);
}

TEST(NewFolder, LeavesNothingWhenItIsNotCommitted) {
    const test::TemporaryFolder temporary;
    {
        NewFolder folder(temporary.path("out"));
        folder.write("file", "text");
    }
    EXPECT_THAT(names_in(temporary.root()), IsEmpty());
}

TEST(NewFolder, ReplacesNothingButAnEmptyFolder) {
    const test::TemporaryFolder temporary;
    const std::string path = temporary.path("out");
    make_directories(path);
    NewFolder folder(path);
    folder.write("file", "text");
    write_file_atomic(path + "/other", "of somebody else");
    EXPECT_THROW(folder.commit(), IoError);
    EXPECT_THROW(NewFolder{path}, ConfigError);
    EXPECT_THROW(NewFolder{path + "/other"}, ConfigError);
    EXPECT_THROW(NewFolder{""}, ConfigError);
    EXPECT_EQ(names_in(path), std::set<std::string>{"other"});
}

class HandoverTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<test::TemporaryFolder>();
        shards_ = test::make_small_dataset(folder_->root());
        dataset_ = std::make_shared<const Dataset>(shards_);
        const auto spec = ArchitectureSpec::from_json(
            parse_json(test::small_spec("{}"), "small_spec"), "small_spec");
        model_.spec = spec;
        model_.repeats = {{11, 3, false, {{"val_rmse", 0.5}}}, {12, 7, true, {{"val_rmse", 0.3}}}};
        model_.chosen = 1;
        model_.metrics = spread_over(model_.repeats);
        model_.dataset_digest = dataset_->digest();
        model_.targets = raise_targets();
        model_.rules.margin = 0;
        model_.rules.short_lines = ShortLines::pad;
        model_.from_run_dir = "runs/first";
        model_.from_id = 42;
        model_.promise = {{{"latency_ms", 1.5}}, "cam", "board", "onnx", "cpu", 2, false};
        model_.save(folder_->path("trained"), encode_weights(weights_of(*make_network(spec, 1))));
    }
    static void TearDownTestSuite() {
        dataset_.reset();
        folder_.reset();
    }
    static std::string path(const std::string& name) { return folder_->path(name); }
    static TestClips clips(std::size_t windows = 64) {
        return test_clips(dataset_, SplitPart::test, model_.rules.window(model_.spec.clip),
                          windows);
    }
    static HandoverRequest request(const std::string& out) {
        HandoverRequest made = handover_of(TrainedModel::load(path("trained")));
        made.shards = shards_;
        made.out = path(out);
        made.files = {"model.pt"};
        return made;
    }

    static inline std::unique_ptr<test::TemporaryFolder> folder_;
    static inline std::string shards_;
    static inline std::shared_ptr<const Dataset> dataset_;
    static inline TrainedModel model_;
};

TEST_F(HandoverTest, TestClipsAreWindowsAndEdgeCases) {
    const TestClips made = clips();
    ASSERT_EQ(made.count(), 68U);
    EXPECT_EQ(std::set<std::string>(made.names.begin(), made.names.begin() + 64).size(), 15U)
        << "several windows of each of the lines of one layer";
    const std::size_t crop = 4 * crop_pixels;
    ASSERT_EQ(made.crops.size(), 68 * crop);
    const auto pixels_of = [&](std::size_t i) { return made.crops.data() + i * crop; };
    EXPECT_EQ(made.names[64], "black");
    EXPECT_EQ(std::count(pixels_of(64), pixels_of(65), 0), std::ptrdiff_t(crop));
    EXPECT_EQ(made.names[65], "saturated");
    EXPECT_EQ(std::count(pixels_of(65), pixels_of(66), 255), std::ptrdiff_t(crop));
    EXPECT_GT(std::set<std::uint8_t>(pixels_of(66), pixels_of(67)).size(), 250U) << "noise";
    EXPECT_EQ(std::memcmp(pixels_of(0), pixels_of(67), crop / 2), 0);
    EXPECT_EQ(std::count(pixels_of(67) + crop / 2, pixels_of(68), 0), std::ptrdiff_t(crop / 2))
        << "its second half is black";
    EXPECT_EQ(made.crops, clips().crops) << "the same ones each time";
    const Sample& line = dataset_->samples(SplitPart::test).front();
    EXPECT_NE(std::search(line.pixels, line.pixels + line.frames * crop_pixels, pixels_of(0),
                          pixels_of(1)),
              line.pixels + line.frames * crop_pixels)
        << "a window of the first line";
}

TEST_F(HandoverTest, TestClipsOfManyLinesAreSpreadOverThem) {
    const TestClips made = clips(3);
    ASSERT_EQ(made.count(), 7U);
    EXPECT_THAT(made.names[0], HasSubstr(", line 0 of the layer"));
    EXPECT_THAT(made.names[1], HasSubstr(", line 5 of the layer"));
    EXPECT_THAT(made.names[2], HasSubstr(", line 10 of the layer"));
    WindowRule none = model_.rules.window(model_.spec.clip);
    none.short_lines = ShortLines::skip;
    none.shortest_line = 4000;
    EXPECT_THROW((void)test_clips(dataset_, SplitPart::test, none, 64), ConfigError);
}

TEST_F(HandoverTest, VectorsSayAllThatACheckNeeds) {
    DeployedFile file;
    file.report.digest = "0123";
    file.report.targets = raise_targets();
    file.report.examples = {{2, 1, 1, 1, 2}, false, std::string(16, 'i'), {1, 2, 3, 4}};
    const std::string bytes = vectors_of(file, {"one", "two"}, model_.promise);
    const SafeTensors read = decode_safetensors(bytes, "test");
    EXPECT_EQ(read.tensors.at("input").type, ElementType::f32);
    EXPECT_EQ(read.tensors.at("input").shape, (std::vector<std::int64_t>{2, 1, 1, 1, 2}));
    EXPECT_EQ(read.tensors.at("input").bytes, std::string(16, 'i'));
    EXPECT_EQ(read.tensors.at("expected").shape, (std::vector<std::int64_t>{2, 2}));
    const std::vector<float> expected{1, 2, 3, 4};
    EXPECT_EQ(std::memcmp(read.tensors.at("expected").bytes.data(), expected.data(), 16), 0);
    EXPECT_EQ(read.metadata.at("model_digest"), "0123");
    EXPECT_EQ(read.metadata.at("precision"), "float32");
    EXPECT_EQ(read.metadata.at("targets"), "speed:mm/s,power:W");
    EXPECT_EQ(read.metadata.at("batch"), "1");
    EXPECT_EQ(read.metadata.at("absolute_tolerance"), "1e-05");
    EXPECT_EQ(read.metadata.at("relative_tolerance"), "0.0001");
    const Json promise = parse_json(read.metadata.at("promise"), "promise");
    EXPECT_EQ(promise.at("latency_ms"), 1.5);
    EXPECT_EQ(promise.at("device_class"), "board");
    EXPECT_EQ(promise.at("runtime"), "onnx");
    EXPECT_EQ(promise.at("threads"), 2);
    EXPECT_EQ(parse_json(read.metadata.at("names"), "names"), (Json{"one", "two"}));

    file.request.batch = 0;
    file.report.examples.crops = true;
    file.report.examples.input_shape = {2, 8};
    Promise modelled = model_.promise;
    modelled.modelled = true;
    const std::string of_crops = vectors_of(file, {"one", "two"}, modelled);
    const SafeTensors crops = decode_safetensors(of_crops, "test");
    EXPECT_EQ(crops.tensors.at("input").type, ElementType::u8);
    EXPECT_EQ(crops.metadata.at("batch"), "any");
    EXPECT_EQ(crops.metadata.at("promise"), "") << "what no device measured is no promise";
}

TEST_F(HandoverTest, AFolderHasEverything) {
    HandoverRequest wanted = request("whole");
    wanted.licence = "CC BY 4.0";
    wanted.files = {"model.onnx", "model-int8.onnx", "model.pt", "model-crops.pt"};
    std::string said;
    wanted.say = [&](const std::string& line) { said += line; };
    const Handover made = hand_over(wanted);
    EXPECT_EQ(made.vectors, 68U);
    std::set<std::string> wanted_names{"MODEL_CARD.md",      "README.md",       "check.cpp",
                                       "check.py",           "evaluation.json", "spec.json",
                                       "weights.safetensors"};
    for (const char* const name : {"model.onnx", "model.pt", "model-crops.pt"}) {
        wanted_names.insert(name);
        wanted_names.insert(std::string(name) + ".vectors.safetensors");
        EXPECT_THAT(said, HasSubstr(name));
    }
    EXPECT_EQ(names_in(made.folder), wanted_names);
    EXPECT_EQ(made.files.size(), wanted_names.size());
    ASSERT_EQ(made.left_out.size(), 1U);
    EXPECT_THAT(made.left_out[0], HasSubstr("model-int8.onnx: this design has no layer"));
    const std::string card = read_file(made.folder + "/MODEL_CARD.md");
    EXPECT_THAT(
        card, AllOf(HasSubstr("speed in mm/s, power in W"), HasSubstr(dataset_->digest()),
                    HasSubstr("Trained 2 times"), HasSubstr("number 2"),
                    HasSubstr("| val_rmse | 0.4 | 0.14 | 0.3 |"),
                    HasSubstr("Design 42 of the search `runs/first`"), HasSubstr("five moments"),
                    HasSubstr("1.5 ms on cam (class board"), HasSubstr("\nCC BY 4.0\n"),
                    HasSubstr("Not made: model-int8.onnx"), Not(HasSubstr("Not trained in full"))));
    const Json figures = read_json_file(made.folder + "/evaluation.json");
    EXPECT_EQ(figures.at("scores").at("lines"), 15);
    EXPECT_EQ(figures.at("scores").at("rmse_normalised").at("value").get<double>(),
              made.assessment.scores.rmse.value);
    const std::string bytes = read_file(made.folder + "/model.onnx.vectors.safetensors");
    EXPECT_EQ(decode_safetensors(bytes, "vectors").metadata.at("model_digest"),
              digest(read_file(made.folder + "/model.onnx")).hex());
    // What is handed over is a network that can be evaluated and handed over again.
    EXPECT_EQ(stored_network(made.folder).spec.canonical(), model_.spec.canonical());
}

TEST_F(HandoverTest, ACardSaysThatASearchsWeightsAreNotTrainedInFull) {
    Selection selection;
    selection.run_dir = "runs/second";
    selection.id = 5;
    selection.spec = model_.spec;
    selection.objectives = {{"val_rmse", 0.25}};
    EXPECT_THROW((void)handover_of(selection), ConfigError) << "no weights";
    selection.weights_file = path("trained/weights.safetensors");
    HandoverRequest wanted = handover_of(selection);
    wanted.network.rules = model_.rules;
    wanted.shards = shards_;
    wanted.out = path("searched");
    wanted.files = {"model.pt"};
    const std::string card = read_file(hand_over(wanted).folder + "/MODEL_CARD.md");
    EXPECT_THAT(card, AllOf(HasSubstr("Not trained in full"), HasSubstr("val_rmse 0.25"),
                            HasSubstr("Design 5 of the search `runs/second`"),
                            HasSubstr("Not stated"), Not(HasSubstr("## Latency"))));
}

TEST_F(HandoverTest, AFailureLeavesNothing) {
    const std::set<std::string> before = names_in(folder_->root());
    HandoverRequest cropped = request("cropped");
    cropped.network.rules.crop = Crop::published;
    EXPECT_THROW((void)hand_over(cropped), ConfigError);
    HandoverRequest of_depth = request("of_depth");
    of_depth.network.targets = {{"depth", "um", 10}};
    EXPECT_THROW((void)hand_over(of_depth), ConfigError);
    HandoverRequest without = request("without");
    without.shards = path("none");
    EXPECT_THROW((void)hand_over(without), ConfigError);
    HandoverRequest unknown = request("unknown");
    unknown.files = {"model.exe"};
    EXPECT_THROW((void)hand_over(unknown), ConfigError);
    HandoverRequest there = request("trained");
    EXPECT_THROW((void)hand_over(there), ConfigError);
    EXPECT_EQ(names_in(folder_->root()), before);
}

}  // namespace
}  // namespace edgeloop::handover_test
