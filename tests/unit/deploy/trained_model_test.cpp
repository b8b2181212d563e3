#include "edgeloop/deploy/trained_model.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <cmath>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::trained_model_test {
namespace {

using testing::HasSubstr;

TrainedModel made() {
    TrainedModel model;
    model.spec = ArchitectureSpec::from_json(
        parse_json(R"({"family":"cnn3d","architecture":{"stages":[{"channels":4,"kernel":[3,3,3],)"
                   R"("pool":[2,4,4]}],"hidden":[8]},"clip":{"frames":4,"stride":1,"side":16,)"
                   R"("mean":0.3},"training":{"epochs":7}})",
                   "test"),
        "test");
    model.repeats = {{11, 3, false, {{"val_rmse", 0.5}, {"r2_speed", 0.1}}},
                     {std::uint64_t(1) << 63, 7, true, {{"val_rmse", 0.3}}}};
    model.chosen = 1;
    model.metrics = spread_over(model.repeats);
    model.dataset_digest = "0123";
    model.dataset_path = "shards";
    model.targets = {{"speed", "mm/s", 900}, {"power", "W", 215}};
    model.rules = {3, ShortLines::repeat, 20, 2, 9, 100, 50, true, Crop::published};
    model.from_run_dir = "runs/first";
    model.from_id = 42;
    model.from_objectives = {{"val_rmse", 0.31}};
    model.promise = {{{"latency_ms", 1.5}}, "cam", "board", "eager", "cpu", 2, false};
    model.options = {{"augment", "true"}};
    return model;
}

class TrainedModelTest : public testing::Test {
  protected:
    void SetUp() override { made().save(folder(), "the weights"); }
    [[nodiscard]] std::string folder() const { return temporary_.path("model"); }
    [[nodiscard]] std::string path(const std::string& name) const { return folder() + '/' + name; }
    /// Replaces the first `from` in the record.
    void change(const std::string& from, const std::string& to) const {
        std::string text = read_file(path("training.json"));
        const auto at = text.find(from);
        ASSERT_NE(at, std::string::npos) << from << " in " << text;
        write_file_atomic(path("training.json"), text.replace(at, from.size(), to));
    }
    [[nodiscard]] std::string refusal() const {
        try {
            (void)TrainedModel::load(folder());
        } catch (const ConfigError& error) {
            return error.what();
        }
        return {};
    }

    test::TemporaryFolder temporary_;
};

TEST_F(TrainedModelTest, WhatIsSavedIsLoaded) {
    const TrainedModel model = TrainedModel::load(folder()), wanted = made();
    EXPECT_EQ(model.spec.canonical(), wanted.spec.canonical());
    EXPECT_EQ(model.weights_file(), path("weights.safetensors"));
    EXPECT_EQ(read_file(model.weights_file()), "the weights");
    ASSERT_EQ(model.repeats.size(), 2u);
    EXPECT_EQ(model.best().seed, std::uint64_t(1) << 63);
    EXPECT_EQ(model.best().best_epoch, 7);
    EXPECT_TRUE(model.best().averaged);
    EXPECT_EQ(model.repeats[0].metrics, wanted.repeats[0].metrics);
    EXPECT_EQ(model.metrics.at("val_rmse").mean, wanted.metrics.at("val_rmse").mean);
    EXPECT_EQ(model.metrics.at("val_rmse").sd, wanted.metrics.at("val_rmse").sd);
    EXPECT_EQ(model.dataset_digest, "0123");
    EXPECT_EQ(model.dataset_path, "shards");
    EXPECT_EQ(model.targets, wanted.targets);
    const WindowRule window = model.rules.window(model.spec.clip);
    EXPECT_EQ(window.frames, 4);
    EXPECT_EQ(window.margin, 3);
    EXPECT_EQ(window.short_lines, ShortLines::repeat);
    EXPECT_EQ(window.shortest_line, 20);
    EXPECT_EQ(model.rules.validation_windows, 2);
    EXPECT_EQ(model.rules.data_seed, 9u);
    EXPECT_EQ(model.rules.max_train_samples, 100u);
    EXPECT_EQ(model.rules.max_validation_samples, 50u);
    EXPECT_TRUE(model.rules.augment);
    EXPECT_EQ(model.rules.crop, Crop::published);
    EXPECT_EQ(model.from_run_dir, "runs/first");
    EXPECT_EQ(model.from_id, 42u);
    EXPECT_EQ(model.from_objectives, wanted.from_objectives);
    EXPECT_EQ(model.promise.metrics, wanted.promise.metrics);
    EXPECT_EQ(model.promise.device_class, "board");
    EXPECT_EQ(model.promise.runtime, "eager");
    EXPECT_EQ(model.promise.threads, 2);
    EXPECT_EQ(model.options, wanted.options);
    EXPECT_TRUE(holds_trained_model(folder()));
}

TEST_F(TrainedModelTest, OneWithoutARunHasNoPromise) {
    TrainedModel model = made();
    model.from_run_dir.clear();
    model.promise = {};
    model.save(folder(), "other");
    const TrainedModel loaded = TrainedModel::load(folder());
    EXPECT_EQ(loaded.from_run_dir, "");
    EXPECT_TRUE(loaded.promise.empty());
}

TEST(Spreads, AreOfTheSampleAndOfMetricsThatAllHave) {
    const auto spreads = spread_over({{1, 1, false, {{"a", 1}, {"b", 1}}},
                                      {2, 1, false, {{"a", 3}}},
                                      {3, 1, false, {{"a", 5}, {"b", 2}}}});
    ASSERT_EQ(spreads.size(), 1u);
    EXPECT_EQ(spreads.at("a").mean, 3);
    EXPECT_EQ(spreads.at("a").sd, 2);
    EXPECT_EQ(spreads.at("a").n, 3u);
    EXPECT_EQ(spread_over({{1, 1, false, {{"a", 1}}}}).at("a").sd, 0);
    EXPECT_TRUE(spread_over({}).empty());
}

TEST_F(TrainedModelTest, DamagedAndForeignFilesAreRefused) {
    write_file_atomic(path("weights.safetensors"), "the weightz");
    EXPECT_THAT(refusal(), HasSubstr("weights.safetensors' is not the file that was written"));
    write_file_atomic(path("weights.safetensors"), "the weight");
    EXPECT_THAT(refusal(), HasSubstr("is not the file that was written"));
    std::filesystem::resize_file(path("weights.safetensors"), std::uint64_t(5) << 30);
    EXPECT_THAT(refusal(), HasSubstr("weights.safetensors"));
    std::filesystem::remove(path("weights.safetensors"));
    EXPECT_THAT(refusal(), HasSubstr("weights.safetensors"));
    made().save(folder(), "the weights");
    EXPECT_EQ(refusal(), "");
    ArchitectureSpec other = made().spec;
    other.clip.side = 32;
    write_file_atomic(path("spec.json"), other.to_json().dump());
    EXPECT_THAT(refusal(), HasSubstr("is not the design that was trained"));
    std::filesystem::remove(path("spec.json"));
    EXPECT_THAT(refusal(), HasSubstr("spec.json"));
    std::filesystem::remove(path("training.json"));
    EXPECT_THAT(refusal(), HasSubstr("holds no trained model"));
    EXPECT_FALSE(holds_trained_model(folder()));
}

TEST_F(TrainedModelTest, ADamagedRecordIsOneLine) {
    change(R"("chosen": 1)", R"("chosen": 2)");
    EXPECT_THAT(refusal(), HasSubstr("training.json' is damaged ('chosen' is none"));
    SetUp();
    change(R"("short_lines": "repeat")", R"("short_lines": "never")");
    EXPECT_THAT(refusal(), HasSubstr("is damaged"));
    SetUp();
    change(R"("scale": 900)", R"("scale": 0)");
    EXPECT_THAT(refusal(), HasSubstr("is damaged"));
    SetUp();
    change(R"("margin": 3)", R"("margin": "3")");
    EXPECT_THAT(refusal(), HasSubstr("is damaged"));
    SetUp();
    change(R"("format": 1)", R"("format": 2)");
    EXPECT_THAT(refusal(), HasSubstr("has format 2 (this program reads format 1)"));
    const std::string whole = read_file(path("training.json"));
    for (const std::size_t length : {std::size_t(0), std::size_t(1), whole.size() / 2}) {
        write_file_atomic(path("training.json"), whole.substr(0, length));
        EXPECT_NE(refusal(), "") << length;
        EXPECT_EQ(refusal().find('\n'), std::string::npos);
    }
    write_file_atomic(path("training.json"), "[]");
    EXPECT_THAT(refusal(), HasSubstr("is no record of a training"));
}

}  // namespace
}  // namespace edgeloop::trained_model_test
