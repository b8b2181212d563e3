#include "edgeloop/deploy/full_training.hpp"

#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/dataset.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::full_training_test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* recipe =
    R"({"learning_rate":0.03,"batch":4,"epochs":6,"schedule":"constant"})";

class FullTrainingTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        data_ = new test::TemporaryFolder;
        shards_ = new std::string(test::make_small_dataset(data_->root()));
    }
    static void TearDownTestSuite() {
        delete shards_;
        delete data_;
    }
    [[nodiscard]] FullTraining training(const std::string& out) const {
        FullTraining made;
        made.spec = test::small_candidate(recipe, 1).design->spec();
        made.settings = test::cpu_settings(*shards_);
        made.settings.dataset = std::make_shared<const Dataset>(*shards_);
        made.seed = 11;
        made.out = folder_.path(out);
        return made;
    }
    static TrainedModel train(const FullTraining& training) {
        return train_fully(training, Communicator(), CancelToken());
    }
    template <class Thrown>
    static std::string refusal(const FullTraining& training,
                               const CancelToken& token = CancelToken()) {
        try {
            (void)train_fully(training, Communicator(), token);
        } catch (const Thrown& error) {
            return error.what();
        }
        return {};
    }
    [[nodiscard]] std::string bytes(const std::string& file) const {
        return read_file(folder_.path(file));
    }
    [[nodiscard]] std::vector<std::vector<std::string>> curve(const std::string& out) const {
        std::vector<std::vector<std::string>> rows;
        std::istringstream lines(bytes(out + "/curve.csv"));
        for (std::string line; std::getline(lines, line);) rows.push_back(csv_row(line));
        return rows;
    }
    /// The training ends as if it were killed after the epoch with this line.
    static void die_at(FullTraining& training, const std::string& epoch) {
        training.say = [epoch](const std::string& line) {
            if (line.find(epoch) != std::string::npos) throw IoError("killed");
        };
    }

    test::TemporaryFolder folder_;
    static std::string* shards_;

  private:
    static test::TemporaryFolder* data_;
};

test::TemporaryFolder* FullTrainingTest::data_ = nullptr;
std::string* FullTrainingTest::shards_ = nullptr;

/// Stops at the n-th step.
class StopAfter : public CancelToken {
  public:
    explicit StopAfter(int steps) : left_(steps) {}
    [[nodiscard]] bool requested() const override { return --left_ <= 0; }
    [[nodiscard]] bool will_resume() const override { return true; }

  private:
    mutable int left_;
};

TEST_F(FullTrainingTest, LeavesAFolderThatIsATrainedModel) {
    FullTraining one = training("out");
    one.spec.training.step_epochs = 70;  // which its schedule does not have
    one.options = {{"augment", "false"}};
    one.from.run_dir = "runs/first";
    one.from.id = 42;
    one.from.objectives = {{"val_rmse", 0.3}};
    one.from.promise.metrics = {{"latency_ms", 1.5}};
    std::vector<std::string> lines;
    one.say = [&](const std::string& line) { lines.push_back(line); };
    const TrainedModel made = train(one);
    const TrainedModel model = TrainedModel::load(folder_.path("out"));
    one.spec.training.step_epochs = TrainingRecipe().step_epochs;
    EXPECT_EQ(model.spec.canonical(), one.spec.canonical());
    EXPECT_EQ(model.repeats.size(), 1u);
    EXPECT_EQ(model.best().seed, 11u);
    EXPECT_EQ(model.best().metrics, made.best().metrics);
    EXPECT_EQ(model.best().best_epoch, int(model.best().metrics.at("best_epoch")));
    EXPECT_EQ(model.dataset_digest, one.settings.dataset->digest());
    EXPECT_EQ(model.targets, one.settings.dataset->catalogue().targets);
    EXPECT_EQ(model.rules.short_lines, ShortLines::pad);
    EXPECT_EQ(model.from_id, 42u);
    EXPECT_EQ(model.promise.metrics.at("latency_ms"), 1.5);
    EXPECT_EQ(model.options.at("augment"), "false");
    EXPECT_EQ(model.options.at("ranks"), "1");
    // A row and a line an epoch, of which the best is the result.
    const auto rows = curve("out");
    ASSERT_EQ(rows.size(), 7u);
    EXPECT_THAT(rows[0],
                ElementsAre("repeat", "epoch", "learning_rate", "train_loss", "val_rmse",
                            "r2_power", "r2_speed", "val_rmse_power_w", "val_rmse_speed_mm_s"));
    EXPECT_EQ(lines.size(), 6u);
    EXPECT_THAT(lines[2], HasSubstr("epoch 3/6 | rate 0.03 | train_loss "));
    double least = 1e9;
    for (std::size_t epoch = 1; epoch < rows.size(); ++epoch) {
        EXPECT_EQ(rows[epoch][0], "1");
        EXPECT_EQ(rows[epoch][1], std::to_string(epoch));
        EXPECT_EQ(rows[epoch][2], "0.03");
        least = std::min(least, number_in<double>(rows[epoch][4]).value());
    }
    EXPECT_EQ(model.best().metrics.at("val_rmse"), least);
    // Nothing else stays.
    EXPECT_FALSE(fs::exists(folder_.path("out/training")));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path("out")), {}), 4);
}

TEST_F(FullTrainingTest, OfSeveralSeedsTheBestIsKeptAndTheirSpreadIsTold) {
    FullTraining three = training("out");
    three.repeats = 3;
    (void)train(three);
    const TrainedModel model = TrainedModel::load(folder_.path("out"));
    ASSERT_EQ(model.repeats.size(), 3u);
    double sum = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(model.repeats[i].seed, 11 + i);
        sum += model.repeats[i].metrics.at("val_rmse");
        EXPECT_LE(model.best().metrics.at("val_rmse"), model.repeats[i].metrics.at("val_rmse"));
    }
    EXPECT_EQ(model.metrics.at("val_rmse").n, 3u);
    EXPECT_DOUBLE_EQ(model.metrics.at("val_rmse").mean, sum / 3);
    EXPECT_GT(model.metrics.at("val_rmse").sd, 0);
    EXPECT_EQ(curve("out").size(), 19u);
    // The weights are those of the seed that was kept.
    FullTraining alone = training("alone");
    alone.seed = model.best().seed;
    EXPECT_EQ(train(alone).best().metrics, model.best().metrics);
    EXPECT_EQ(bytes("alone/weights.safetensors"), bytes("out/weights.safetensors"));
}

TEST_F(FullTrainingTest, WhatWasKilledGoesOnToTheSameFiles) {
    const auto both = [&](const std::string& out) {
        FullTraining made = training(out);
        made.repeats = 2;
        made.settings.average_decay = 0.9;
        return made;
    };
    (void)train(both("whole"));
    FullTraining killed = both("killed");
    killed.into = IntoFolder::resume;  // of nothing: a start
    for (const char* epoch : {"repeat 1/2 | epoch 2/6", "repeat 1/2 | epoch 6/6",
                              "repeat 2/2 | epoch 1/6", "repeat 2/2 | epoch 4/6"}) {
        die_at(killed, epoch);
        EXPECT_THAT(refusal<IoError>(killed), HasSubstr("killed")) << epoch;
        EXPECT_FALSE(holds_trained_model(folder_.path("killed")));
        EXPECT_TRUE(holds_training(folder_.path("killed")));
    }
    killed.say = [](const std::string&) {};
    EXPECT_THAT(refusal<Stopped>(killed, StopAfter(20)), HasSubstr("--resume"));
    (void)train(killed);
    for (const char* file : {"curve.csv", "weights.safetensors", "spec.json", "training.json"})
        EXPECT_EQ(bytes(std::string("killed/") + file), bytes(std::string("whole/") + file))
            << file;
    EXPECT_EQ(curve("whole")[0].back(), "averaged_val_rmse");
    // Resumed again it is finished.
    std::string said;
    killed.say = [&](const std::string& line) { said += line; };
    EXPECT_EQ(train(killed).best().metrics, train(both("other")).best().metrics);
    EXPECT_THAT(said, HasSubstr("is finished"));
}

TEST_F(FullTrainingTest, AFolderWithATrainingIsNotTouched) {
    (void)train(training("out"));
    const std::string before = bytes("out/training.json");
    FullTraining again = training("out");
    EXPECT_THAT(refusal<ConfigError>(again), HasSubstr("holds a training already"));
    again.seed = 12;
    again.into = IntoFolder::resume;
    EXPECT_THAT(refusal<ConfigError>(again), HasSubstr("was begun with seed 11, now 12"));
    EXPECT_EQ(bytes("out/training.json"), before);
    again.into = IntoFolder::overwrite;
    (void)train(again);
    EXPECT_EQ(TrainedModel::load(folder_.path("out")).best().seed, 12u);
    // One that was begun, too.
    FullTraining begun = training("begun");
    die_at(begun, "epoch 2/6");
    EXPECT_NE(refusal<IoError>(begun), "");
    begun.say = [](const std::string&) {};
    EXPECT_THAT(refusal<ConfigError>(begun), HasSubstr("holds a training already"));
    begun.into = IntoFolder::resume;
    begun.options = {{"augment", "true"}};
    EXPECT_THAT(refusal<ConfigError>(begun), HasSubstr("augment not known, now true"));
    begun.into = IntoFolder::overwrite;
    (void)train(begun);
    EXPECT_EQ(curve("begun").size(), 7u);
}

TEST_F(FullTrainingTest, FoldersOfOthersAreRefused) {
    make_directories(folder_.path("run"));
    write_file_atomic(folder_.path("run/journal.jsonl"), "");
    EXPECT_THAT(refusal<ConfigError>(training("run")), HasSubstr("is the run directory"));
    make_directories(folder_.path("used"));
    const Descriptor lock = lock_file(folder_.path("used/.lock"));
    EXPECT_THAT(refusal<ConfigError>(training("used")), HasSubstr("in use"));
    write_file_atomic(folder_.path("file"), "");
    EXPECT_NE(refusal<IoError>(training("file/out")), "");
}

TEST_F(FullTrainingTest, ATrainingThatFailsSaysWhy) {
    FullTraining failing = training("out");
    failing.spec.training.learning_rate = 1e30;
    failing.spec.training.optimizer = "sgd";
    EXPECT_THAT(refusal<ConfigError>(failing), HasSubstr("not finite"));
    EXPECT_FALSE(holds_trained_model(folder_.path("out")));
}

TEST_F(FullTrainingTest, DamagedRemainsAreNotedAndTrainedAnew) {
    (void)train(training("whole"));
    FullTraining begun = training("begun");
    die_at(begun, "epoch 3/6");
    EXPECT_NE(refusal<IoError>(begun), "");
    write_file_atomic(folder_.path("begun/training/1.state"), "damaged");
    begun.into = IntoFolder::resume;
    begun.say = [](const std::string&) {};
    (void)train(begun);
    EXPECT_EQ(bytes("begun/weights.safetensors"), bytes("whole/weights.safetensors"));
    FullTraining other = training("other");
    die_at(other, "epoch 3/6");
    EXPECT_NE(refusal<IoError>(other), "");
    write_file_atomic(folder_.path("other/training/options.json"), "damaged");
    other.into = IntoFolder::resume;
    EXPECT_NE(refusal<CorruptState>(other), "");
}

}  // namespace
}  // namespace edgeloop::full_training_test
