#include "edgeloop/training/trainer.hpp"

#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "support/small_dataset.hpp"
#include "support/target_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/data/baselines.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::trainer_test {
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
    // What always answering the mean of the training lines gives.
    const auto mean = baselines(Dataset(settings().shards), WindowRule::published(1, 1)).front();
    EXPECT_EQ(mean.name, "mean of the training lines");
    EXPECT_LT(outcome.metrics.at("val_rmse"), mean.rmse);
    const std::vector<double>& variance = catalogue.part(SplitPart::train).targets.variance;
    const double variance_of_both =
        (variance.at(0) / (900 * 900) + variance.at(1) / (215 * 215)) / 2;
    EXPECT_LT(outcome.metrics.at("train_loss"), 0.5 * variance_of_both);
    const double from_parts = std::hypot(outcome.metrics.at("val_rmse_speed_mm_s") / 900,
                                         outcome.metrics.at("val_rmse_power_w") / 215) /
                              std::sqrt(2.0);
    EXPECT_NEAR(outcome.metrics.at("val_rmse"), from_parts, 1e-9);
}

TEST_F(TrainerTest, AnUntrainedNetworkPredictsTheMeanWhenAskedTo) {
    TrainingSettings other = settings();
    const Candidate untrained =
        candidate(R"({"learning_rate":1e-12,"batch":4,"epochs":1,"schedule":"constant"})");
    const double zero = train(other, untrained).metrics.at("val_rmse");
    other.start_at_mean = true;
    const double mean = train(other, untrained).metrics.at("val_rmse");
    const double of_mean =
        mean_baseline(Dataset(settings().shards), WindowRule::published(1, 1)).rmse;
    EXPECT_NEAR(mean, of_mean, 0.1 * of_mean);
    EXPECT_GT(zero, 1.5 * of_mean);
}

TEST_F(TrainerTest, ASpecSaysWhatGreyValuesBecome) {
    const char* const recipe = R"({"learning_rate":0.001,"batch":4,"epochs":1})";
    ArchitectureSpec spec = candidate(recipe).design->spec();
    Candidate bright = candidate(recipe);
    spec.clip.mean = 0.05;
    spec.clip.deviation = 0.1;
    bright.design = Design::of(spec);
    EXPECT_NE(train(settings(), bright).metrics, train(settings(), candidate(recipe)).metrics);
}

TEST_F(TrainerTest, TrainsOnWhateverTargetsTheDatasetHas) {
    const test::TemporaryFolder folder;
    const std::vector<Target> all = {{"depth", "um", 40}, {"width", "um", 0.5}, {"pores", "", 1}};
    for (const std::size_t count : {1U, 3U}) {
        const std::vector<Target> targets(all.begin(), all.begin() + std::ptrdiff_t(count));
        TrainingSettings other = settings();
        other.shards = test::make_target_dataset(folder.path(std::to_string(count)), targets);
        other.weights_dir = folder.path("weights");
        const Outcome outcome =
            train(other, candidate(R"({"learning_rate":0.01,"batch":4,"epochs":30})"));
        ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
        double squares = 0;
        for (const Target& target : targets) {
            squares +=
                std::pow(outcome.metrics.at("val_rmse_" + metric_name(target)) / target.scale, 2);
            EXPECT_EQ(outcome.metrics.count("r2_" + target.name), 1U);
        }
        EXPECT_NEAR(outcome.metrics.at("val_rmse"), std::sqrt(squares / double(count)), 1e-9);
        EXPECT_EQ(outcome.metrics.count("val_rmse_pores"), count == 3 ? 1U : 0U);
        EXPECT_LT(outcome.metrics.at("val_rmse"), 3);
        const auto weights =
            decode_weights(read_file(folder.path("weights/7.safetensors")), "test");
        EXPECT_EQ(weights.at("output.bias").numel(), std::int64_t(count));
    }
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

TEST_F(TrainerTest, MicroBatchesGiveTheResultOfTheBatchInLessMemory) {
    const auto trained = [](const char* micro) {
        return train(settings(), candidate(std::string(R"({"learning_rate":0.01,"batch":4,)") +
                                           micro + R"("epochs":2})"))
            .metrics;
    };
    const Metrics whole = trained("");
    for (const char* micro : {R"("micro_batch":1,)", R"("micro_batch":3,)"}) {
        const Metrics parts = trained(micro);
        EXPECT_NEAR(parts.at("val_rmse"), whole.at("val_rmse"), 1e-4 * whole.at("val_rmse"));
        EXPECT_NEAR(parts.at("train_loss"), whole.at("train_loss"), 1e-4 * whole.at("train_loss"));
        EXPECT_LT(parts.at("peak_training_mib"), whole.at("peak_training_mib"));
    }
    // All of it at once is what it was without the key, to the bit.
    EXPECT_EQ(trained(R"("micro_batch":4,)"), whole);
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
    if (torch::cuda::is_available()) return;
    TrainingSettings mixed = settings();
    mixed.device = Device::automatic;
    mixed.mixed_precision = true;
    EXPECT_THROW(Trainer{mixed}, ConfigError);
    TrainingSettings cuda = settings();
    cuda.device = Device::cuda;
    EXPECT_THROW(Trainer{cuda}, ConfigError);
}

TEST_F(TrainerTest, MissingDataIsAnOutcomeAndNoCrash) {
    TrainingSettings lost = settings();
    lost.shards += "-not-there";  // they were there when the run began
    EXPECT_EQ(train(lost, candidate("{}")).status, Status::lost);
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

class StopToken : public CountingToken {
  public:
    using CountingToken::CountingToken;
    [[nodiscard]] bool will_resume() const override { return true; }
};

/// An epoch a record, each with its training loss; validated where the training ended.
void expect_curve(const Outcome& outcome, int first, int last) {
    ASSERT_EQ(int(outcome.curve.size()), last - first + 1);
    for (std::size_t i = 0; i < outcome.curve.size(); ++i) {
        EXPECT_EQ(outcome.curve[i].epoch, first + int(i));
        EXPECT_GT(outcome.curve[i].learning_rate, 0);
        EXPECT_GT(outcome.curve[i].metrics.at("train_loss"), 0);
        EXPECT_EQ(outcome.curve[i].metrics.count("val_rmse"), i + 1 == outcome.curve.size());
    }
    EXPECT_EQ(outcome.curve.back().metrics.at("val_rmse"), outcome.metrics.at("val_rmse"));
}

TEST_F(TrainerTest, ABrokenOffTrainingGoesOnToTheSameBits) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.path("training");
    for (const std::string micro : {"", R"("micro_batch":3,)"}) {
        const Candidate one =
            candidate(R"({"learning_rate":0.01,"batch":4,)" + micro + R"("epochs":3})");
        const Outcome unbroken = train(settings(), one);
        expect_curve(unbroken, 1, 3);
        for (const int at : {1, 5, 17, 40}) {
            const StopToken token(at);
            EXPECT_EQ(Trainer(kept).train(one, Communicator(), token).status, Status::cancelled);
            EXPECT_TRUE(std::filesystem::exists(states.path("training/7.state")));
            const Outcome gone_on = train(kept, one);
            EXPECT_EQ(gone_on.metrics, unbroken.metrics) << at;
            expect_curve(gone_on, 1, 3);
            EXPECT_EQ(gone_on.curve.front().metrics, unbroken.curve.front().metrics);
            EXPECT_FALSE(std::filesystem::exists(states.path("training/7.state")));
        }
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
    const Outcome lower = train(kept, one);
    EXPECT_EQ(lower.metrics.at("train_epochs"), 2);
    expect_curve(lower, 1, 2);
    EXPECT_TRUE(std::filesystem::exists(states.path("7.state")));
    one.epochs = 4;
    one.trained_epochs = 2;
    one.keep_state = false;
    const CountingToken counted(1000000);
    const Outcome upper = Trainer(kept).train(one, Communicator(), counted);
    EXPECT_EQ(upper.metrics, whole);
    expect_curve(upper, 3, 4);
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
    const auto network = make_network(one.design->spec(), one.seed);
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

/// Its val_rmse goes up and down.
constexpr const char* restless =
    R"({"learning_rate":0.03,"batch":4,"epochs":14,"schedule":"constant"})";

class PatienceTest : public TrainerTest {
  protected:
    TrainingSettings patient(const std::string& weights) const {
        TrainingSettings with = settings();
        with.patience_epochs = 3;
        with.weights_dir = folder_.path(weights);
        return with;
    }
    [[nodiscard]] std::string weights_in(const std::string& folder) const {
        return read_file(folder_.path(folder + "/7.safetensors"));
    }
    /// The epochs of the restless candidate without patience, from 1 on.
    static std::vector<double> errors(int epochs) {
        std::vector<double> found{0};
        for (Candidate one = candidate(restless); one.epochs < epochs;) {
            ++one.epochs;
            found.push_back(train(settings(), one).metrics.at("val_rmse"));
        }
        return found;
    }
    test::TemporaryFolder folder_;
};

TEST_F(PatienceTest, GivesTheBestEpochItsMetricsAndItsWeights) {
    const Outcome outcome = train(patient("patient"), candidate(restless));
    ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
    const int trained = int(outcome.metrics.at("train_epochs"));
    const std::vector<double> rmse = errors(trained);
    const auto best = std::min_element(rmse.begin() + 1, rmse.end());
    ASSERT_NE(best, rmse.end() - 1) << "the last epoch is the best: the test shows nothing";
    EXPECT_EQ(outcome.metrics.at("val_rmse"), *best);
    EXPECT_EQ(outcome.metrics.at("best_epoch"), best - rmse.begin());
    TrainingSettings plain = patient("plain");
    plain.patience_epochs = 0;
    Candidate until_best = candidate(restless);
    until_best.epochs = int(best - rmse.begin());
    const Metrics there = train(plain, until_best).metrics;
    EXPECT_EQ(outcome.metrics.at("train_loss"), there.at("train_loss"));
    EXPECT_EQ(weights_in("patient"), weights_in("plain"));
}

TEST_F(PatienceTest, AStoppedTrainingAndRungsGiveTheSameBestEpoch) {
    const Candidate one = candidate(restless);
    const CountingToken counted(1000000);
    const Metrics whole = Trainer(patient("whole")).train(one, Communicator(), counted).metrics;
    TrainingSettings kept = patient("kept");
    kept.state_dir = folder_.path("training");
    for (int at = 1; at < counted.asked(); at += 1 + counted.asked() / 13) {
        EXPECT_EQ(Trainer(kept).train(one, Communicator(), StopToken(at)).status,
                  Status::cancelled);
        EXPECT_EQ(train(kept, one).metrics, whole) << at;
        EXPECT_EQ(weights_in("kept"), weights_in("whole")) << at;
    }
    Candidate rung = one;
    rung.keep_state = true;
    for (rung.epochs = 1; rung.epochs < 14; ++rung.epochs)
        EXPECT_EQ(train(kept, rung).status, Status::completed);
    rung.keep_state = false;
    EXPECT_EQ(train(kept, rung).metrics, whole);
    EXPECT_EQ(weights_in("kept"), weights_in("whole"));
}

TEST_F(TrainerTest, AStateBelongsToTheDataNotToTheirPath) {
    const test::TemporaryFolder folder;
    const Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":2})");
    TrainingSettings here = settings();
    here.shards = test::make_small_dataset(folder.path("a"));
    here.state_dir = folder.path("training");
    const CountingToken all(1000000);
    const Metrics whole = Trainer(here).train(one, Communicator(), all).metrics;
    const auto stop = [&] {
        EXPECT_EQ(Trainer(here).train(one, Communicator(), StopToken(10)).status,
                  Status::cancelled);
    };
    stop();
    TrainingSettings moved = here;
    moved.shards = folder.path("elsewhere");
    std::filesystem::copy(here.shards, moved.shards);
    const CountingToken rest(1000000);
    EXPECT_EQ(Trainer(moved).train(one, Communicator(), rest).metrics, whole);
    EXPECT_LT(rest.asked(), all.asked()) << "trained anew although the data are the same";
    stop();
    std::filesystem::remove_all(here.shards);
    std::filesystem::rename(test::make_small_dataset(folder.path("b"), 14), here.shards);
    TrainingSettings stateless = here;
    stateless.state_dir.clear();
    EXPECT_EQ(train(here, one).metrics, train(stateless, one).metrics);
}

TEST_F(TrainerTest, AProcessOpensEachShardOnceForAllItsCandidates) {
    const std::uint64_t before = opened_shards();
    const Trainer trainer(settings());
    const Candidate one = candidate(R"({"learning_rate":0.01,"batch":4,"epochs":1})");
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(trainer.train(one, Communicator(), CancelToken()).status, Status::completed);
    EXPECT_EQ(opened_shards() - before, read_catalogue(settings().shards).shards.size());
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
}  // namespace edgeloop::trainer_test
