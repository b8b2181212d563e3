#include "mpi_world.hpp"
#include "support/shared_dataset.hpp"
#include "support/small_dataset.hpp"

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
        std::string text = outcome.reason + std::to_string(int(outcome.status));
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
    const std::string dropout = R"("dropout":0.1)";
    one.spec.replace(one.spec.find(dropout), dropout.size(), R"("dropout":0)");
    TrainingSettings shared = settings();
    shared.batch_ranks = 1;
    const Metrics together = train(one, CancelToken(), shared).metrics;
    const Metrics alone = Trainer(shared).train(one, Communicator(), CancelToken()).metrics;
    for (const char* name : {"val_rmse", "train_loss"})
        EXPECT_NEAR(together.at(name), alone.at(name), 1e-3 * alone.at(name)) << name;
}

TEST_F(TrainingTest, OverlapDoesNotChangeTheCourse) {
    const Candidate one = candidate(R"({"learning_rate":0.003,"batch":2,"epochs":1})");
    TrainingSettings simple = settings();
    simple.exchange = GradientExchange::simple;
    const Metrics overlapped = train(one).metrics;
    const Metrics plain = train(one, CancelToken(), simple).metrics;
    for (const auto& [name, value] : overlapped)
        EXPECT_NEAR(value, plain.at(name), 1e-4 * std::abs(value) + 1e-6) << name;
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

TEST_F(TrainingTest, AnExceptionOnOneRankAnywhereFailsTheCandidateOnAll) {
    const Candidate one = candidate(R"({"learning_rate":0.003,"batch":2,"epochs":2})");
    for (const char* place :
         {"building the network", "epoch 0 step 0", "epoch 1 step 2", "validation step 1"}) {
        const Outcome outcome = train(one, FaultyToken(place, ""));
        EXPECT_EQ(outcome.status, Status::failed) << place;
        EXPECT_NE(outcome.reason.find("injected"), std::string::npos) << outcome.reason;
        expect_same_everywhere(outcome);
    }
    EXPECT_EQ(train(one).status, Status::completed);
}

TEST_F(TrainingTest, CancelSeenByTheLeaderAloneEndsAllRanks) {
    const Candidate one = candidate(R"({"learning_rate":0.003,"batch":2,"epochs":2})");
    for (const char* place : {"epoch 1 step 1", "validation step 1"}) {
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
