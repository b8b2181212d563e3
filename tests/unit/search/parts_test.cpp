#include "search/parts.hpp"

#include "support/search_support.hpp"

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

/// A candidate of a search for f1 and a latency of at most 1.
class PartRulesTest : public testing::Test {
  protected:
    PartRulesTest() {
        EngineSettings settings = test::box_settings(EngineKind::generational, 2, 4);
        settings.goals.objectives = {"f1", "latency_ms"};
        settings.goals.constraints = {parse_constraint("latency_ms<=1")};
        engine_ = make_engine(space_, settings);
        active_.kept.candidate = *engine_->ask();
        options_.measured = {"latency_ms"};
        rules_ = std::make_unique<PartRules>(*engine_, options_, true);
    }

    [[nodiscard]] static Outcome outcome(Status status, Metrics metrics, double seconds) {
        Outcome outcome;
        outcome.status = status;
        outcome.metrics = std::move(metrics);
        outcome.reason = status == Status::completed ? "" : "why";
        outcome.seconds = seconds;
        return outcome;
    }
    void come(Part part, const Outcome& outcome) { active_.part(part) = outcome; }
    /// Judges and puts together, as when a part has come.
    std::optional<CompletedCandidate> judge() {
        active_.verdict = rules_->early_end(active_);
        return rules_->whole(active_);
    }

    const SearchSpace space_ = test::unit_box(2);
    std::unique_ptr<Engine> engine_;
    SearchOptions options_;
    Active active_;
    std::unique_ptr<PartRules> rules_;
};

TEST_F(PartRulesTest, BothPartsMakeAWholeInAnyOrder) {
    const Outcome trained = outcome(Status::completed, {{"f1", 0.5}}, 7);
    const Outcome measured = outcome(Status::completed, {{"latency_ms", 0.4}}, 2);
    for (const bool training_first : {true, false}) {
        active_.kept.training.reset();
        active_.kept.measuring.reset();
        EXPECT_TRUE(rules_->needs(active_, Part::training));
        EXPECT_TRUE(rules_->needs(active_, Part::measuring));
        come(training_first ? Part::training : Part::measuring,
             training_first ? trained : measured);
        EXPECT_FALSE(judge());
        come(training_first ? Part::measuring : Part::training,
             training_first ? measured : trained);
        const auto whole = judge();
        ASSERT_TRUE(whole);
        EXPECT_EQ(whole->status, Status::completed);
        EXPECT_EQ(whole->metrics, (Metrics{{"f1", 0.5}, {"latency_ms", 0.4}}));
        EXPECT_EQ(whole->settled, (Metrics{{"latency_ms", 0.4}}));
        EXPECT_EQ(whole->training_seconds, 7);
        EXPECT_EQ(whole->measuring_seconds, 2);
    }
}

TEST_F(PartRulesTest, WhatWasMeasuredOutweighsTheTraining) {
    active_.kept.training = outcome(Status::failed, {}, 7);
    active_.kept.measuring = outcome(Status::completed, {{"latency_ms", 1.5}}, 2);
    EXPECT_EQ(judge()->status, Status::infeasible);
    active_.kept.measuring = outcome(Status::completed, {}, 2);
    EXPECT_EQ(judge()->status, Status::failed);
    EXPECT_EQ(judge()->reason, "the device delivered no latency_ms");
    active_.kept.measuring = outcome(Status::lost, {}, 2);
    EXPECT_EQ(judge()->status, Status::lost);
    active_.training = true;  // until its training has come back
    EXPECT_FALSE(judge());
}

TEST_F(PartRulesTest, ATrainingWithoutAnObjectiveHasFailed) {
    active_.kept.measuring = outcome(Status::completed, {{"latency_ms", 0.4}}, 2);
    active_.kept.training = outcome(Status::completed, {}, 7);
    EXPECT_EQ(judge()->status, Status::failed);
    EXPECT_EQ(judge()->reason, "f1 was not measured");
}

TEST_F(PartRulesTest, AResultIsComparedWithWhatTakesNoNetwork) {
    come(Part::measuring, outcome(Status::completed, {{"latency_ms", 0.4}}, 2));
    come(Part::training, outcome(Status::completed, {{"f1", 0.5}, {"val_rmse", 0.3}}, 7));
    EXPECT_EQ(judge()->metrics.count("baseline_ratio"), 0U) << "nothing to compare with";
    active_.kept.candidate.known["baseline_rmse"] = 0.2;
    EXPECT_DOUBLE_EQ(judge()->metrics.at("baseline_ratio"), 0.3 / 0.2);
}

TEST_F(PartRulesTest, ALimitOnAnErrorIsForTheLastRung) {
    EngineSettings settings = test::box_settings(EngineKind::generational, 2, 4);
    settings.goals.objectives = {"f1", "latency_ms"};
    settings.goals.constraints = {parse_constraint("f1<=0.4"), parse_constraint("latency_ms<=1")};
    settings.ladder.epochs = {1, 3};
    engine_ = make_engine(space_, settings);
    rules_ = std::make_unique<PartRules>(*engine_, options_, true);
    active_.kept.candidate = *engine_->ask();
    come(Part::measuring, outcome(Status::completed, {{"latency_ms", 0.4}}, 2));
    come(Part::training, outcome(Status::completed, {{"f1", 0.5}}, 7));
    EXPECT_EQ(judge()->status, Status::completed) << "it may come down to 0.4";
    active_.kept.candidate.rung = 1;
    active_.kept.candidate.known["latency_ms"] = 0.4;
    EXPECT_EQ(judge()->status, Status::infeasible);
    active_.kept.candidate.rung = 0;
    come(Part::measuring, outcome(Status::completed, {{"latency_ms", 1.4}}, 2));
    EXPECT_EQ(judge()->status, Status::infeasible) << "what was measured stays as it is";
}

TEST_F(PartRulesTest, OnAHigherRungTheLatencyIsKnown) {
    active_.kept.candidate.rung = 1;
    active_.kept.candidate.known = {{"latency_ms", 0.4}};
    EXPECT_FALSE(rules_->needs(active_, Part::measuring));
    active_.kept.training = outcome(Status::completed, {{"f1", 0.5}}, 7);
    EXPECT_EQ(judge()->status, Status::completed);
    active_.kept.training = outcome(Status::lost, {}, 7);
    EXPECT_TRUE(rules_->needs(active_, Part::training));
}

TEST_F(PartRulesTest, NoPartReplacesWhatIsNotItsOwn) {
    active_.kept.candidate.known = {{"parameters", 100}, {"flops", 2000}};
    come(Part::measuring,
         outcome(Status::completed, {{"latency_ms", 0.4}, {"parameters", 1}, {"val_rmse", 0}}, 2));
    EXPECT_FALSE(judge());
    come(Part::training,
         outcome(Status::completed,
                 {{"f1", 0.5}, {"val_rmse", 0.3}, {"latency_ms", 9}, {"flops", 1}}, 7));
    const auto whole = judge();
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->metrics, (Metrics{{"f1", 0.5},
                                       {"flops", 2000},
                                       {"latency_ms", 0.4},
                                       {"parameters", 100},
                                       {"val_rmse", 0.3}}));
}

TEST_F(PartRulesTest, ATrainingThatDeliversWhatNoneDoesHasFailed) {
    const Outcome trained = outcome(Status::completed, {{"f1", 0.5}}, 7);
    EXPECT_EQ(rules_->checked(trained).status, Status::completed) << "nothing is asked for";
    options_.refuse_trained = [](const Metrics& metrics) {
        return metrics.count("f2") > 0 ? std::optional<std::string>("f2 is made up") : std::nullopt;
    };
    EXPECT_EQ(rules_->checked(trained).metrics.count("f1"), 1u);
    const Outcome refused =
        rules_->checked(outcome(Status::completed, {{"f1", 0.5}, {"f2", 0.1}}, 7));
    EXPECT_EQ(refused.status, Status::failed);
    EXPECT_EQ(refused.reason, "the result of the training is refused: f2 is made up");
    EXPECT_TRUE(refused.metrics.empty());
    EXPECT_EQ(refused.seconds, 7);
    EXPECT_EQ(rules_->checked(outcome(Status::lost, {{"f2", 1}}, 7)).status, Status::lost);
}

}  // namespace
}  // namespace edgeloop
