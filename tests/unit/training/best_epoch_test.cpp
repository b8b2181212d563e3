// Trainings that keep the best epoch to the end of their schedule, with and without an average of
// the weights, and save every epoch.
#include "model/weights_file.hpp"
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"
#include "training/training_run.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/training/trainer.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::best_epoch_test {
namespace {

using Curve = std::vector<EpochRecord>;

/// Its val_rmse goes up and down.
constexpr const char* restless =
    R"({"learning_rate":0.03,"batch":4,"epochs":10,"schedule":"cosine"})";

class BestEpochTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        data_ = new test::TemporaryFolder;
        shards_ = new std::string(test::make_small_dataset(data_->root()));
    }
    static void TearDownTestSuite() {
        delete shards_;
        delete data_;
    }
    /// Whose curve goes to `curve`.
    [[nodiscard]] TrainingSettings settings(Curve* curve) const {
        TrainingSettings settings = test::cpu_settings(*shards_);
        settings.keep_best_epoch = true;
        settings.weights_dir = folder_.path("weights");
        settings.on_epoch = [curve](const Curve& now, bool) { *curve = now; };
        return settings;
    }
    static Outcome train(const TrainingSettings& settings, const char* recipe = restless) {
        return Trainer(settings).train(test::small_candidate(recipe, 11), Communicator(),
                                       CancelToken());
    }
    [[nodiscard]] std::string weights() const {
        return read_file(folder_.path("weights/7.safetensors"));
    }
    static std::unique_ptr<TrainingRun> begin(const TrainingSettings& settings) {
        return std::make_unique<TrainingRun>(settings,
                                             std::make_shared<const Dataset>(settings.shards),
                                             test::small_candidate(restless, 11), Communicator());
    }

    test::TemporaryFolder folder_;

  private:
    static test::TemporaryFolder* data_;
    static std::string* shards_;
};

test::TemporaryFolder* BestEpochTest::data_ = nullptr;
std::string* BestEpochTest::shards_ = nullptr;

bool same(const Curve& a, const Curve& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.epoch == y.epoch && x.learning_rate == y.learning_rate && x.metrics == y.metrics &&
               x.averaged_rmse == y.averaged_rmse;
    });
}

TEST_F(BestEpochTest, TheWholeScheduleIsTrainedAndTheBestEpochIsGiven) {
    Curve curve;
    const Outcome outcome = train(settings(&curve));
    ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
    EXPECT_EQ(outcome.metrics.at("train_epochs"), 10);
    ASSERT_EQ(curve.size(), 10u);
    const auto best =
        std::min_element(curve.begin(), curve.end(), [](const auto& a, const auto& b) {
            return a.metrics.at("val_rmse") < b.metrics.at("val_rmse");
        });
    ASSERT_NE(best, curve.end() - 1) << "the last epoch is the best: the test shows nothing";
    EXPECT_EQ(outcome.metrics.at("best_epoch"), best->epoch);
    EXPECT_EQ(outcome.metrics.at("val_rmse"), best->metrics.at("val_rmse"));
    EXPECT_EQ(outcome.metrics.at("train_loss"), best->metrics.at("train_loss"));
    EXPECT_EQ(curve[0].averaged_rmse, 0);
    EXPECT_EQ(curve[0].learning_rate, 0.03);
    EXPECT_NEAR(curve[5].learning_rate, 0.015, 1e-12) << "half of the cosine";
    // The weights are that epoch's.
    const std::string given = weights();
    TrainingSettings until = settings(&curve);
    until.keep_best_epoch = false;
    Candidate prefix = test::small_candidate(restless, 11);
    prefix.epochs = int(outcome.metrics.at("best_epoch"));
    ASSERT_EQ(Trainer(until).train(prefix, Communicator(), CancelToken()).status,
              Status::completed);
    EXPECT_EQ(weights(), given);
}

TEST_F(BestEpochTest, TheAverageFollowsTheWeightsAsItsFormulaSays) {
    Curve curve;
    TrainingSettings averaging = settings(&curve);
    averaging.average_decay = 0.5;
    const auto run = begin(averaging);
    run->start_epoch(0, 0);
    torch::Tensor expected;
    std::string name;
    for (int step = 1; step <= 12; ++step) {
        StepTotals own;
        run->compute_gradients(own);
        run->update_weights(run->exchange_gradients(own));
        const Weights now = run->weights();
        if (name.empty()) name = now.begin()->first;
        const torch::Tensor weight = now.at(name).clone();
        const double decay = std::min(0.5, (1.0 + step) / (10.0 + step));
        expected = step == 1 ? weight : decay * expected + (1 - decay) * weight;
        run->use_average(true);
        EXPECT_TRUE(torch::allclose(run->weights().at(name), expected, 1e-5, 1e-7)) << step;
        run->use_average(false);
        EXPECT_TRUE(torch::equal(run->weights().at(name), weight)) << step;
    }
    EXPECT_FALSE(torch::allclose(run->weights().at(name), expected, 1e-5, 1e-7));
}

TEST_F(BestEpochTest, TheAverageIsKeptWhereItIsBetterAndDoesNotChangeTheCourse) {
    Curve plain, averaged;
    ASSERT_EQ(train(settings(&plain)).status, Status::completed);
    TrainingSettings averaging = settings(&averaged);
    averaging.average_decay = 0.9;
    const Outcome outcome = train(averaging);
    ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
    ASSERT_EQ(averaged.size(), plain.size());
    double least = 1e9;
    int best = 0;
    std::size_t wins = 0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        EXPECT_EQ(averaged[i].metrics, plain[i].metrics) << i;
        const double own = averaged[i].metrics.at("val_rmse");
        wins += averaged[i].averaged_rmse < own ? 1 : 0;
        if (const double better = std::min(own, averaged[i].averaged_rmse); better < least) {
            least = better;
            best = averaged[i].epoch;
        }
    }
    EXPECT_GT(wins, 0u) << "the average never wins: the test shows nothing";
    EXPECT_EQ(outcome.metrics.at("val_rmse"), least);
    EXPECT_EQ(outcome.metrics.at("best_epoch"), best);
}

TEST_F(BestEpochTest, WhatEndsInTheMiddleGoesOnWithTheSameBits) {
    for (const double decay : {0.0, 0.9}) {
        Curve whole, again;
        TrainingSettings once = settings(&whole);
        once.average_decay = decay;
        const Metrics metrics = train(once).metrics;
        const std::string given = weights();
        TrainingSettings saving = settings(&again);
        saving.average_decay = decay;
        saving.save_every_epoch = true;
        saving.state_dir = folder_.path(decay > 0 ? "averaged" : "plain");
        for (const std::size_t end : {1u, 4u, 9u}) {
            // As if it were killed there: nothing is written after the epoch.
            TrainingSettings dying = saving;
            dying.on_epoch = [end](const Curve& now, bool) {
                if (now.size() == end) throw IoError("killed");
            };
            EXPECT_EQ(train(dying).status, Status::lost);
            std::filesystem::remove(folder_.path("weights/7.safetensors"));
        }
        std::vector<std::size_t> told;
        saving.on_epoch = [&](const Curve& now, bool trained) {
            again = now;
            told.push_back(trained ? now.size() : 100 + now.size());
        };
        EXPECT_EQ(train(saving).metrics, metrics);
        EXPECT_EQ(told, (std::vector<std::size_t>{109, 10})) << "what was restored, then one epoch";
        EXPECT_TRUE(same(again, whole));
        EXPECT_EQ(weights(), given);
        // And once more, when all is done.
        EXPECT_EQ(train(saving).metrics, metrics);
        EXPECT_EQ(weights(), given);
        // With another choice it is another training.
        TrainingSettings other = saving;
        other.average_decay = 0.5;
        told.clear();
        EXPECT_EQ(train(other).status, Status::completed);
        EXPECT_EQ(told.size(), 10u);
    }
}

TEST_F(BestEpochTest, AnEpochThatCannotBeSavedEndsTheTraining) {
    Curve curve;
    TrainingSettings saving = settings(&curve);
    saving.save_every_epoch = true;
    write_file_atomic(folder_.path("file"), "");
    saving.state_dir = folder_.path("file/training");
    EXPECT_EQ(train(saving).status, Status::lost);
    EXPECT_TRUE(curve.empty());
    saving.state_dir = folder_.path("training");
    saving.weights_dir = folder_.path("file/weights");
    EXPECT_EQ(train(saving).status, Status::lost);
}

}  // namespace
}  // namespace edgeloop::best_epoch_test
