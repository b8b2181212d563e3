#include "edgeloop/training/trainer.hpp"

#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/preprocessing.hpp"

#include <cmath>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

class TrainerTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = new test::TemporaryFolder;
        shards_ = new std::string(test::make_small_dataset(folder_->root()));
    }
    static void TearDownTestSuite() {
        delete shards_;
        delete folder_;
    }

    static TrainingSettings settings() { return test::cpu_settings(*shards_); }
    static Candidate candidate(const std::string& training) {
        return test::small_candidate(training, 11);
    }
    static Outcome train(const TrainingSettings& settings, const Candidate& candidate) {
        return Trainer(settings).train(candidate, Communicator(), CancelToken());
    }

  private:
    static test::TemporaryFolder* folder_;
    static std::string* shards_;
};

test::TemporaryFolder* TrainerTest::folder_ = nullptr;
std::string* TrainerTest::shards_ = nullptr;

TEST_F(TrainerTest, LearnsTheSyntheticTaskBetterThanItsMean) {
    const Outcome outcome =
        train(settings(),
              candidate(R"({"learning_rate":0.003,"batch":4,"epochs":40,"schedule":"constant"})"));
    ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
    EXPECT_EQ(outcome.id, 7u);
    EXPECT_EQ(outcome.metrics.at("train_epochs"), 40);
    const Catalogue catalogue = read_catalogue(settings().shards);
    EXPECT_LT(outcome.metrics.at("val_rmse"),
              mean_predictor_rmse(catalogue, SplitPart::validation));
    const double mean_train_rmse = mean_predictor_rmse(catalogue, SplitPart::train);
    EXPECT_LT(outcome.metrics.at("train_loss"), 0.5 * mean_train_rmse * mean_train_rmse);
    const double from_parts =
        std::hypot(outcome.metrics.at("val_rmse_speed_mm_s") / speed_scale_mm_s,
                   outcome.metrics.at("val_rmse_power_w") / power_scale_w) /
        std::sqrt(2.0);
    EXPECT_NEAR(outcome.metrics.at("val_rmse"), from_parts, 1e-9);
}

TEST_F(TrainerTest, TheSameCandidateGivesTheSameNumbersToTheBit) {
    const Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":2})");
    const Outcome first = train(settings(), one);
    TrainingSettings other = settings();
    other.prefetch = 0;
    other.exchange = GradientExchange::simple;
    EXPECT_EQ(train(other, one).metrics, first.metrics);
    Candidate reseeded = one;
    reseeded.seed = 12;
    EXPECT_NE(train(settings(), reseeded).metrics, first.metrics);
}

TEST_F(TrainerTest, TheBudgetOfTheCandidateOverridesTheRecipe) {
    Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":9})");
    one.epochs = 1;
    EXPECT_EQ(train(settings(), one).metrics.at("train_epochs"), 1);
}

TEST_F(TrainerTest, ADivergingLossFailsTheCandidate) {
    const Outcome outcome = train(
        settings(), candidate(R"({"optimizer":"sgd","learning_rate":1000,"batch":4,"epochs":40})"));
    EXPECT_EQ(outcome.status, Status::failed);
    EXPECT_NE(outcome.reason.find("not finite"), std::string::npos) << outcome.reason;
    EXPECT_TRUE(outcome.metrics.empty());
}

TEST_F(TrainerTest, ADesignBeyondTheMemoryFailsBeforeItIsBuilt) {
    TrainingSettings tight = settings();
    tight.memory_limit_mib = 0.05;
    const Outcome outcome = train(tight, candidate(R"({"learning_rate":0.01,"batch":4})"));
    EXPECT_EQ(outcome.status, Status::failed);
    EXPECT_EQ(outcome.reason.rfind("out of memory", 0), 0u) << outcome.reason;
}

TEST_F(TrainerTest, WhatNeedsCudaIsRefusedAtOnceWithoutIt) {
    TrainingSettings mixed = settings();
    mixed.mixed_precision = true;
    EXPECT_THROW(Trainer{mixed}, ConfigError);
    if (torch::cuda::is_available()) return;
    TrainingSettings cuda = settings();
    cuda.device = Device::cuda;
    EXPECT_THROW(Trainer{cuda}, ConfigError);
}

TEST_F(TrainerTest, BadSpecsAndMissingDataAreOutcomesNotCrashes) {
    EXPECT_EQ(train(settings(), candidate(R"({"optimizer":"lion"})")).status, Status::failed);
    Candidate garbled = candidate("{}");
    garbled.spec = "{";
    EXPECT_EQ(train(settings(), garbled).status, Status::failed);
    TrainingSettings lost = settings();
    lost.shards += "-not-there";
    EXPECT_EQ(train(lost, candidate("{}")).status, Status::failed);
}

TEST_F(TrainerTest, ClippingChangesTheCourse) {
    const Candidate one =
        candidate(R"({"optimizer":"sgd","learning_rate":0.05,"batch":4,"epochs":1})");
    TrainingSettings clipped = settings();
    clipped.clip_norm = 1e-3;
    EXPECT_GT(train(clipped, one).metrics.at("train_loss"),
              train(settings(), one).metrics.at("train_loss"));
}

/// Asks for an end at the n-th question.
class CountingToken : public CancelToken {
  public:
    explicit CountingToken(int answer_at) : answer_at_(answer_at) {}
    [[nodiscard]] bool requested() const override { return ++asked_ >= answer_at_; }
    [[nodiscard]] int asked() const { return asked_; }

  private:
    int answer_at_;
    mutable int asked_ = 0;
};

TEST_F(TrainerTest, CancelTakesEffectInTheStepThatSeesIt) {
    const Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":3})");
    for (const int at : {1, 5}) {
        const CountingToken token(at);
        const Outcome outcome = Trainer(settings()).train(one, Communicator(), token);
        EXPECT_EQ(outcome.status, Status::cancelled);
        EXPECT_EQ(token.asked(), at);
    }
}

TEST_F(TrainerTest, ABrokenOffTrainingGoesOnToTheSameBits) {
    class StopToken : public CountingToken {
      public:
        using CountingToken::CountingToken;
        [[nodiscard]] bool will_resume() const override { return true; }
    };
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.path("training");
    const Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":3})");
    const Metrics whole = train(settings(), one).metrics;
    for (const int at : {1, 5, 17, 40}) {
        const StopToken token(at);
        EXPECT_EQ(Trainer(kept).train(one, Communicator(), token).status, Status::cancelled);
        EXPECT_TRUE(std::filesystem::exists(states.path("training/7.state")));
        EXPECT_EQ(train(kept, one).metrics, whole) << at;
        EXPECT_FALSE(std::filesystem::exists(states.path("training/7.state")));
    }
}

TEST_F(TrainerTest, ARungGoesOnFromTheOneBefore) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.root();
    Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":4})");
    const Metrics whole = train(settings(), one).metrics;
    one.epochs = 2;
    one.keep_state = true;
    EXPECT_EQ(train(kept, one).metrics.at("train_epochs"), 2);
    EXPECT_TRUE(std::filesystem::exists(states.path("7.state")));
    one.epochs = 4;
    one.trained_epochs = 2;
    one.keep_state = false;
    const CountingToken counted(1000000);
    EXPECT_EQ(Trainer(kept).train(one, Communicator(), counted).metrics, whole);
    const CountingToken all(1000000);
    (void)Trainer(settings()).train(one, Communicator(), all);
    EXPECT_LT(counted.asked(), all.asked());
}

TEST_F(TrainerTest, AStateThatIsDamagedOrOfAnotherCandidateIsNotUsed) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.root();
    Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":1})");
    one.keep_state = true;
    const Metrics whole = train(kept, one).metrics;
    const std::string good = read_file(states.path("7.state"));
    for (std::size_t damage = 0; damage < good.size(); damage += 1 + good.size() / 12) {
        std::string bad = good;
        bad[damage] = char(bad[damage] ^ 0x10);
        write_file_atomic(states.path("7.state"), bad);
        EXPECT_EQ(train(kept, one).metrics, whole) << damage;
    }
    write_file_atomic(states.path("7.state"), good);
    one.seed += 1;
    EXPECT_EQ(train(kept, one).metrics, train(settings(), one).metrics);
}

TEST_F(TrainerTest, WeightsOfACompletedCandidateCanBeReadBack) {
    const test::TemporaryFolder folder;
    TrainingSettings saving = settings();
    saving.weights_dir = folder.path("weights");
    const Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":1})");
    ASSERT_EQ(train(saving, one).status, Status::completed);
    const std::string bytes = read_file(folder.path("weights/7.safetensors"));
    const auto weights = decode_weights(bytes, "weights");
    const auto network =
        make_network(ArchitectureSpec::from_json(parse_json(one.spec, "spec"), "spec"), one.seed);
    ASSERT_EQ(weights.size(), weights_of(*network).size());
    double moved = 0;
    for (const auto& [name, initial] : weights_of(*network))
        moved += (weights.at(name) - initial).abs().sum().item<double>();
    EXPECT_GT(moved, 0);
    EXPECT_EQ(encode_weights(weights), bytes);
    for (const std::size_t length :
         {std::size_t(0), std::size_t(7), std::size_t(40), bytes.size() - 1})
        EXPECT_THROW((void)decode_weights(bytes.substr(0, length), "weights"), ConfigError)
            << length;
}

TEST_F(TrainerTest, APlateauEndsTraining) {
    TrainingSettings patient = settings();
    patient.patience_epochs = 2;
    const Outcome outcome =
        train(patient, candidate(R"({"learning_rate":1e-9,"batch":4,"epochs":30})"));
    ASSERT_EQ(outcome.status, Status::completed);
    EXPECT_EQ(outcome.metrics.at("train_epochs"), 3);
    EXPECT_GT(outcome.metrics.at("val_rmse"), 0);
}

}  // namespace
}  // namespace edgeloop
