#include "mpi_world.hpp"
#include "support/shared_dataset.hpp"
#include "support/small_dataset.hpp"
#include "training/phases.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/training/trainer.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::world;

class TrainingTest : public test::SharedDatasetTest {
  protected:
    static TrainingSettings settings() { return test::cpu_settings(shards()); }
    static Candidate candidate(const std::string& training) {
        return test::small_candidate(training, 5);
    }
    static Outcome train(const Candidate& one, const CancelToken& token = CancelToken(),
                         const TrainingSettings& with = settings()) {
        return Trainer(with).train(one, world(), token);
    }
    static void expect_same_everywhere(const Outcome& outcome) {
        std::string text = outcome.reason + outcome.record + std::to_string(int(outcome.status));
        for (const auto& [name, value] : outcome.metrics) text += name + std::to_string(value);
        EXPECT_TRUE(world().is_same_on_all_ranks(text)) << text;
    }
};

TEST_F(TrainingTest, AllRanksHaveTheSameOutcomeAndItIsGood) {
    const Outcome outcome =
        train(candidate(R"({"learning_rate":0.003,"batch":2,"epochs":10,"schedule":"constant"})"));
    ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
    expect_same_everywhere(outcome);
    EXPECT_LT(outcome.metrics.at("train_loss"), 0.2);
}

TEST_F(TrainingTest, ALargerGroupThatSharesTheBatchFollowsOneRank) {
    Candidate one = candidate(R"({"learning_rate":0.003,"batch":12,"epochs":2,"optimizer":"sgd"})");
    // Each rank draws a dropout of its own.
    std::string spec = one.design->text();
    const std::string dropout = R"("dropout":0.1)";
    one.design =
        Design::parse(spec.replace(spec.find(dropout), dropout.size(), R"("dropout":0)"), "test");
    TrainingSettings shared = settings();
    shared.batch_ranks = 1;
    const Metrics together = train(one, CancelToken(), shared).metrics;
    const Metrics alone = Trainer(shared).train(one, Communicator(), CancelToken()).metrics;
    for (const char* name : {"val_rmse", "train_loss"})
        EXPECT_NEAR(together.at(name), alone.at(name), 1e-3 * alone.at(name)) << name;
}

TEST_F(TrainingTest, AQuantisedCandidateIsTheSameOnAllRanksAndFollowsOneRank) {
    Candidate one;
    one.id = 7;
    one.seed = 5;
    one.design = Design::parse(
        R"({"family":"cnn3d","architecture":{"stages":[{"channels":4,"pool":[2,4,4]},)"
        R"({"channels":6}],"norm":"affine","hidden":[8]},)"
        R"("clip":{"frames":4,"stride":1,"side":16},"training":{"learning_rate":0.003,)"
        R"("batch":12,"epochs":4},"quantisation":{"float_share":0.5,"stages":[{},)"
        R"({"weights":4,"activations":4}]}})",
        "test");
    TrainingSettings shared = settings();
    shared.batch_ranks = 1;
    const Outcome together = train(one, CancelToken(), shared);
    ASSERT_EQ(together.status, Status::completed) << together.reason;
    expect_same_everywhere(together);
    const Metrics alone = Trainer(shared).train(one, Communicator(), CancelToken()).metrics;
    // A number that sums of another order put across the border between two steps goes another way.
    for (const char* name : {"val_rmse", "train_loss"})
        EXPECT_NEAR(together.metrics.at(name), alone.at(name), 2e-2 * alone.at(name)) << name;
}

Candidate with_open_ranks(const std::string& adaptation, const std::string& training) {
    Candidate one;
    one.id = 7;
    one.seed = 5;
    one.design = Design::parse(
        R"({"family":"cnn3d","architecture":{"stages":[{"channels":4,"pool":[2,4,4]},)"
        R"({"channels":6}],"hidden":[8],"reduce":"flatten"},)"
        R"("clip":{"frames":4,"stride":1,"side":16},"training":)" +
            training + R"(,"low_rank":{"adaptation":")" + adaptation +
            R"(","stages":[{},{"format":"tt","rank_max":6,"rank_target":3}],)"
            R"("dense":{"format":"tt"}}})",
        "test");
    return one;
}

TEST_F(TrainingTest, RanksThatAdaptAreTheSameOnAllRanksAndFollowOneRank) {
    TrainingSettings shared = settings();
    shared.batch_ranks = 1;
    for (const char* adaptation : {"diagonal", "log-uniform", "half-cauchy"}) {
        const Candidate one =
            with_open_ranks(adaptation, R"({"learning_rate":0.003,"batch":12,"epochs":4})");
        const Outcome together = train(one, CancelToken(), shared);
        ASSERT_EQ(together.status, Status::completed) << together.reason;
        expect_same_everywhere(together);
        EXPECT_NE(together.record.find("stages.1.conv"), std::string::npos) << together.record;
        const Metrics alone = Trainer(shared).train(one, Communicator(), CancelToken()).metrics;
        for (const char* name : {"val_rmse", "train_loss"})
            EXPECT_NEAR(together.metrics.at(name), alone.at(name), 5e-2 * alone.at(name)) << name;
        EXPECT_EQ(together.metrics.count("final_parameters"), 1u);
    }
}

TEST_F(TrainingTest, HowGradientsTravelDoesNotChangeTheCourse) {
    const Candidate one = candidate(R"({"learning_rate":0.003,"batch":2,"epochs":1})");
    const Metrics overlapped = train(one).metrics;
    ASSERT_EQ(overlapped.count("val_rmse"), 1u);  // a training that failed has nothing to compare
    for (const GradientExchange exchange : {GradientExchange::simple, GradientExchange::staged}) {
        TrainingSettings other = settings();
        other.exchange = exchange;
        const Metrics found = train(one, CancelToken(), other).metrics;
        for (const auto& [name, value] : overlapped)
            EXPECT_NEAR(value, found.at(name), 1e-4 * std::abs(value) + 1e-6) << name;
    }
}

TEST_F(TrainingTest, RanksAgreeOnTheDeviceThatTheyTrainOn) {
    for (const Device wanted : {Device::automatic, Device::cpu}) {
        TrainingSettings other = settings();
        other.device = wanted;
        const bool trains = world().size() == 1 || world().rank() > 0;
        const TrainingDevices devices = agree_on_devices(world(), other, trains);
        EXPECT_NE(devices.device, Device::automatic);
        int ranks = 0;
        for (const auto& [model, count] : devices.ranks_by_model) ranks += count;
        EXPECT_EQ(ranks, std::max(1, world().size() - 1));
        EXPECT_TRUE(world().is_same_on_all_ranks(devices.description()));
    }
}

/// Throws on one rank at one place; asks for an end on the leader at another.
class FaultyToken : public CancelToken {
  public:
    FaultyToken(std::string throw_at, std::string cancel_at)
        : throw_at_(std::move(throw_at)), cancel_at_(std::move(cancel_at)) {}
    [[nodiscard]] bool requested() const override {
        return world().rank() == 0 && place_ == cancel_at_;
    }
    void at(const std::string& place) const override {
        place_ = place;
        if (world().rank() == world().size() - 1 && place == throw_at_)
            throw std::runtime_error("injected");
    }

  private:
    std::string throw_at_, cancel_at_;
    mutable std::string place_;
};

TEST_F(TrainingTest, AnExceptionInALaterStepFailsTheCandidateOnAll) {
    const Candidate one = candidate(R"({"learning_rate":0.003,"batch":2,"epochs":2})");
    for (const char* place : {"training, epoch 1 step 2", "updating the weights, epoch 1 step 2",
                              "validating, step 1"}) {
        const Outcome outcome = train(one, FaultyToken(place, ""));
        EXPECT_EQ(outcome.status, Status::failed) << place;
        EXPECT_NE(outcome.reason.find("injected"), std::string::npos) << outcome.reason;
        expect_same_everywhere(outcome);
    }
    EXPECT_EQ(train(one).status, Status::completed);
}

/// Throws on one rank when it first reaches a phase.
class FaultyPhase : public CancelToken {
  public:
    FaultyPhase(Phase phase, int rank, bool ours) : phase_(phase), rank_(rank), ours_(ours) {}
    void at(const std::string& place) const override {
        if (fired_ || world().rank() != rank_) return;
        if (place.substr(0, place.find(',')) != name_of(phase_)) return;
        fired_ = true;
        if (ours_) throw IoError("injected");
        throw std::runtime_error("injected");
    }
    /// Whether the phase was reached. Collective.
    [[nodiscard]] bool fired() const {
        return world().all_reduce(fired_ ? 1 : 0, Reduction::max) > 0;
    }

  private:
    Phase phase_;
    int rank_;
    bool ours_;
    mutable bool fired_ = false;
};

/// The whole run stops at a place.
class StopAt : public FaultyToken {
  public:
    explicit StopAt(std::string place) : FaultyToken("", std::move(place)) {}
    [[nodiscard]] bool will_resume() const override { return true; }
};

/// Settings with which a training reaches every phase.
TrainingSettings with_all_phases(TrainingSettings settings) {
    settings.state_dir = settings.shards + "/../training";
    settings.weights_dir = settings.shards + "/../weights";
    settings.patience_epochs = 3;
    settings.save_every_epoch = true;
    return settings;
}

Status expected_end(Phase phase, bool ours) {
    return ours || phase == Phase::open_data ? Status::lost : Status::failed;
}

TEST_F(TrainingTest, APhaseThatThrowsOnAnyRankEndsTheCandidateOnAllAndTheGroupGoesOn) {
    const TrainingSettings with = with_all_phases(settings());
    const Candidate one =
        with_open_ranks("diagonal", R"({"learning_rate":0.003,"batch":4,"epochs":3})");
    TrainingSettings at_once = with;
    at_once.save_every_epoch = false;  // would leave a state from which nothing is left to train
    const Metrics whole = train(one, CancelToken(), at_once).metrics;
    ASSERT_EQ(train(one, StopAt("training, epoch 1 step 1"), with).status, Status::cancelled);
    const std::string state_file = with.state_dir + "/7.state";
    const std::string state = world().rank() == 0 ? read_file(state_file) : "";
    for (std::size_t index = 0; index < phase_count; ++index) {
        const auto phase = static_cast<Phase>(index);
        if (phase == Phase::share_weights && world().size() == 1) continue;
        for (int rank = 0; rank < world().size(); ++rank) {
            SCOPED_TRACE(std::string(name_of(phase)) + " on rank " + std::to_string(rank));
            if (world().rank() == 0) write_file_atomic(state_file, state);
            test::wait_for_all();
            const bool ours = (index + std::size_t(rank)) % 2 == 0;
            const FaultyPhase token(phase, rank, ours);
            const double start = steady_seconds();
            const Outcome outcome = train(one, token, with);
            EXPECT_LT(steady_seconds() - start, 5);
            EXPECT_TRUE(token.fired());
            EXPECT_EQ(outcome.status, expected_end(phase, ours)) << outcome.reason;
            EXPECT_NE(outcome.reason.find("injected"), std::string::npos) << outcome.reason;
            expect_same_everywhere(outcome);
        }
    }
    EXPECT_EQ(train(one, CancelToken(), with).metrics, whole);
}

TEST_F(TrainingTest, AResultIsAResultAlsoWhenItsFilesCannotBeWritten) {
    TrainingSettings with = with_all_phases(settings());
    with.save_every_epoch = false;
    const Candidate one = candidate(R"({"learning_rate":0.003,"batch":4,"epochs":2})");
    const FaultyPhase token(Phase::write_files, 0, true);
    const Outcome outcome = train(one, token, with);
    EXPECT_TRUE(token.fired());
    EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
    expect_same_everywhere(outcome);
}

TEST_F(TrainingTest, PatienceGivesTheBestEpochOnAllRanksAlsoWhenItWasStopped) {
    TrainingSettings patient = settings();
    patient.patience_epochs = 3;
    const Candidate one =
        candidate(R"({"learning_rate":0.03,"batch":4,"epochs":12,"schedule":"constant"})");
    const Outcome whole = train(one, CancelToken(), patient);
    ASSERT_EQ(whole.status, Status::completed) << whole.reason;
    expect_same_everywhere(whole);
    Candidate until_best = one;
    until_best.epochs = int(whole.metrics.at("best_epoch"));
    const Metrics best = train(until_best).metrics;
    for (const char* name : {"val_rmse", "r2_power", "train_loss"})
        EXPECT_EQ(whole.metrics.at(name), best.at(name)) << name;
    TrainingSettings kept = patient;
    kept.state_dir = shards() + "/../stopped";
    for (const char* place : {"training, epoch 2 step 1", "validating, step 0"}) {
        EXPECT_EQ(train(one, StopAt(place), kept).status, Status::cancelled) << place;
        EXPECT_EQ(train(one, CancelToken(), kept).metrics, whole.metrics) << place;
    }
}

TEST_F(TrainingTest, RanksThatSeeDifferentDataDoNotTrainTogether) {
    if (world().size() == 1) return;
    TrainingSettings different = settings();
    const bool odd = world().rank() == world().size() - 1;
    if (odd) different.shards = test::make_small_dataset(shards() + "/../other", 14);
    test::wait_for_all();
    const Outcome outcome = train(candidate("{}"), CancelToken(), different);
    EXPECT_EQ(outcome.status, Status::lost);
    EXPECT_NE(outcome.reason.find("different copies"), std::string::npos) << outcome.reason;
    expect_same_everywhere(outcome);
}

TEST_F(TrainingTest, CancelSeenByTheLeaderAloneEndsAllRanks) {
    const Candidate one = candidate(R"({"learning_rate":0.003,"batch":2,"epochs":2})");
    for (const char* place : {"training, epoch 1 step 1", "validating, step 1"}) {
        const Outcome outcome = train(one, FaultyToken("", place));
        EXPECT_EQ(outcome.status, Status::cancelled) << place;
        expect_same_everywhere(outcome);
    }
}

TEST_F(TrainingTest, NotANumberAndTooMuchMemoryAreAgreed) {
    const Outcome diverged =
        train(candidate(R"({"optimizer":"sgd","learning_rate":1000,"batch":2,"epochs":40})"));
    EXPECT_EQ(diverged.status, Status::failed);
    EXPECT_NE(diverged.reason.find("not finite"), std::string::npos) << diverged.reason;
    TrainingSettings tight = settings();
    if (world().rank() == world().size() - 1) tight.memory_limit_mib = 0.01;
    const Outcome huge = train(candidate("{}"), CancelToken(), tight);
    EXPECT_EQ(huge.status, Status::failed);
    EXPECT_NE(huge.reason.find("out of memory"), std::string::npos) << huge.reason;
    expect_same_everywhere(huge);
}

}  // namespace
}  // namespace edgeloop
