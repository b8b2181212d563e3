#include "edgeloop/deploy/handover.hpp"

#include "deploy/model_files.hpp"
#include "deploy/new_folder.hpp"
#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/safetensors.hpp"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>

namespace edgeloop {
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
        return test_clips(dataset_, SplitPart::test, model_.spec.clip,
                          model_.rules.window(model_.spec.clip), windows);
    }
    static HandoverRequest request(const std::string& out) {
        HandoverRequest made = handover_of(TrainedModel::load(path("trained")));
        made.shards = shards_;
        made.out = path(out);
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
    const std::size_t crop = 4 * crop_pixels, clip = 4 * 16 * 16;
    ASSERT_EQ(made.crops.size(), 68 * crop);
    ASSERT_EQ(made.clips.size(), 68 * clip);
    const ClipShape& shape = made.clip;
    const auto is_all = [&](std::size_t i, double grey) {
        for (std::size_t k = i * clip; k < (i + 1) * clip; ++k)
            if (std::abs(made.clips[k] - (grey / 255 - shape.mean) / shape.deviation) > 1e-4)
                return false;
        return true;
    };
    EXPECT_EQ(made.names[64], "black");
    EXPECT_TRUE(is_all(64, 0));
    EXPECT_EQ(made.names[65], "saturated");
    EXPECT_TRUE(is_all(65, 255));
    EXPECT_FALSE(is_all(66, 0)) << "noise";
    EXPECT_EQ(std::memcmp(&made.crops[0], &made.crops[67 * crop], crop / 2), 0);
    EXPECT_EQ(std::count(&made.crops[67 * crop + crop / 2], &made.crops[0] + 68 * crop, 0),
              std::ptrdiff_t(crop / 2))
        << "its second half is black";
    EXPECT_EQ(made.clips, clips().clips) << "the same ones each time";
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
    EXPECT_THROW((void)test_clips(dataset_, SplitPart::test, model_.spec.clip, none, 64),
                 ConfigError);
}

TEST_F(HandoverTest, VectorsSayAllThatACheckNeeds) {
    const TestClips made = clips(1);
    std::vector<float> expected(2 * made.count());
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = float(i);
    ModelFile file;
    file.bytes = "the model";
    const std::string bytes = vectors_of(file, made, expected, raise_targets(), model_.promise);
    const SafeTensors read = decode_safetensors(bytes, "test");
    EXPECT_EQ(read.tensors.at("input").shape, (std::vector<std::int64_t>{5, 1, 4, 16, 16}));
    EXPECT_EQ(read.tensors.at("expected").shape, (std::vector<std::int64_t>{5, 2}));
    EXPECT_EQ(read.tensors.at("expected").bytes.size(), 10 * sizeof(float));
    EXPECT_EQ(std::memcmp(read.tensors.at("expected").bytes.data(), expected.data(), 40), 0);
    EXPECT_EQ(read.metadata.at("model_digest"), digest("the model").hex());
    EXPECT_EQ(read.metadata.at("targets"), "speed:mm/s,power:W");
    EXPECT_EQ(read.metadata.at("batch"), "1");
    EXPECT_EQ(read.metadata.at("absolute_tolerance"), "1e-05");
    EXPECT_EQ(read.metadata.at("relative_tolerance"), "0.0001");
    const Json promise = parse_json(read.metadata.at("promise"), "promise");
    EXPECT_EQ(promise.at("latency_ms"), 1.5);
    EXPECT_EQ(promise.at("threads"), 2);
    EXPECT_EQ(parse_json(read.metadata.at("names"), "names").size(), 5U);

    file.takes_crops = true;
    file.batch = 0;
    Promise modelled = model_.promise;
    modelled.modelled = true;
    const std::string of_crops = vectors_of(file, made, expected, raise_targets(), modelled);
    const SafeTensors crops = decode_safetensors(of_crops, "test");
    EXPECT_EQ(crops.tensors.at("input").type, ElementType::u8);
    EXPECT_EQ(crops.tensors.at("input").shape, (std::vector<std::int64_t>{5, 4, 41, 41}));
    EXPECT_EQ(crops.metadata.at("batch"), "any");
    EXPECT_EQ(crops.metadata.at("promise"), "") << "what no device measured is no promise";
}

TEST_F(HandoverTest, ATorchScriptFileAnswersAsTheNetworkDoes) {
    const StoredNetwork network = stored_network(model_);
    const TestClips made = clips(8);
    const Predictor predictor(network.spec, network.weights_file, 2);
    for (const ModelFile& file : model_files(network)) {
        if (file.name != "model.pt") continue;
        std::istringstream bytes(file.bytes);
        torch::jit::Module module = torch::jit::load(bytes);
        for (std::size_t i = 0; i < made.count(); ++i) {
            const float* clip = made.clips.data() + i * 4 * 16 * 16;
            const std::vector<float> wanted = predictor.predict(clip, 1);
            const torch::Tensor answer =
                module.forward({torch::from_blob(const_cast<float*>(clip), {1, 1, 4, 16, 16})})
                    .toTensor();
            for (const std::int64_t t : {0, 1})
                EXPECT_NEAR(answer[0][t].item<float>(), wanted[std::size_t(t)],
                            1e-5 + 1e-4 * std::abs(wanted[std::size_t(t)]));
        }
        return;
    }
    FAIL() << "there is no model.pt";
}

TEST_F(HandoverTest, AFolderHasEverything) {
    HandoverRequest wanted = request("whole");
    wanted.licence = "CC BY 4.0";
    const Handover made = hand_over(wanted);
    EXPECT_EQ(made.vectors, 68U);
    EXPECT_EQ(names_in(made.folder),
              (std::set<std::string>{
                  "MODEL_CARD.md", "README.md", "check.cpp", "check.py", "evaluation.json",
                  "model.onnx", "model.onnx.vectors.safetensors", "model.pt",
                  "model.pt.vectors.safetensors", "spec.json", "weights.safetensors"}));
    EXPECT_EQ(made.files.size(), 11U);
    const std::string card = read_file(made.folder + "/MODEL_CARD.md");
    EXPECT_THAT(card, AllOf(HasSubstr("speed in mm/s, power in W"), HasSubstr(dataset_->digest()),
                            HasSubstr("Trained 2 times"), HasSubstr("number 2"),
                            HasSubstr("| val_rmse | 0.4 | 0.14 | 0.3 |"),
                            HasSubstr("Design 42 of the search `runs/first`"),
                            HasSubstr("five moments"), HasSubstr("1.5 ms on cam (class board"),
                            HasSubstr("\nCC BY 4.0\n"), Not(HasSubstr("Not trained in full"))));
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
    HandoverRequest without = request("without");
    without.shards = path("none");
    EXPECT_THROW((void)hand_over(without), ConfigError);
    HandoverRequest there = request("trained");
    EXPECT_THROW((void)hand_over(there), ConfigError);
    EXPECT_EQ(names_in(folder_->root()), before);
}

}  // namespace
}  // namespace edgeloop
