#include "search/parts.hpp"

#include "support/search_support.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace edgeloop::parts_test {
namespace {

using Classes = std::vector<std::string>;

/// A candidate of a search for f1 and a latency of at most 1.
class PartRulesTest : public testing::Test {
  protected:
    PartRulesTest() {
        EngineSettings settings = test::box_settings(EngineKind::generational, 2, 4);
        settings.goals.objectives = {"f1", "latency_ms"};
        settings.goals.constraints = {parse_constraint("latency_ms<=1")};
        engine_ = make_engine(space_, settings);
        active_.kept.candidate = *engine_->ask();
        options_.measured[""] = {"latency_ms"};
        rules_ = std::make_unique<PartRules>(*engine_, options_, Classes{""});
    }

    [[nodiscard]] static Outcome outcome(Status status, Metrics metrics, double seconds) {
        Outcome outcome;
        outcome.status = status;
        outcome.metrics = std::move(metrics);
        outcome.reason = status == Status::completed ? "" : "why";
        outcome.seconds = seconds;
        return outcome;
    }
    void come(const Part& part, const Outcome& outcome) { active_.kept.parts[part] = outcome; }
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
        active_.kept.parts.clear();
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
    active_.kept.parts[Part::training] = outcome(Status::failed, {}, 7);
    active_.kept.parts[Part::measuring] = outcome(Status::completed, {{"latency_ms", 1.5}}, 2);
    EXPECT_EQ(judge()->status, Status::infeasible);
    active_.kept.parts[Part::measuring] = outcome(Status::completed, {}, 2);
    EXPECT_EQ(judge()->status, Status::failed);
    EXPECT_EQ(judge()->reason, "the device delivered no latency_ms");
    active_.kept.parts[Part::measuring] = outcome(Status::lost, {}, 2);
    EXPECT_EQ(judge()->status, Status::lost);
    active_.training = true;  // until its training has come back
    EXPECT_FALSE(judge());
}

TEST_F(PartRulesTest, ATrainingWithoutAnObjectiveHasFailed) {
    active_.kept.parts[Part::measuring] = outcome(Status::completed, {{"latency_ms", 0.4}}, 2);
    active_.kept.parts[Part::training] = outcome(Status::completed, {}, 7);
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
    rules_ = std::make_unique<PartRules>(*engine_, options_, Classes{""});
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
    active_.kept.parts[Part::training] = outcome(Status::completed, {{"f1", 0.5}}, 7);
    EXPECT_EQ(judge()->status, Status::completed);
    active_.kept.parts[Part::training] = outcome(Status::lost, {}, 7);
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

/// The same on two classes of devices, with a limit on each.
class PartsOfClassesTest : public PartRulesTest {
  protected:
    PartsOfClassesTest() {
        EngineSettings settings = test::box_settings(EngineKind::generational, 2, 4);
        settings.goals.objectives = {"f1", "latency_ms@board", "latency_ms@pi"};
        settings.goals.constraints = {parse_constraint("latency_ms@board<=1"),
                                      parse_constraint("latency_ms@pi<=1")};
        engine_ = make_engine(space_, settings);
        active_.kept.candidate = *engine_->ask();
        options_.measured = {{"board", {"latency_ms"}}, {"pi", {"latency_ms"}}};
        rules_ = std::make_unique<PartRules>(*engine_, options_, Classes{"board", "pi"});
    }
    static Outcome latency(double ms) {
        return outcome(Status::completed, {{"latency_ms", ms}, {"parameters", 7}}, 2);
    }
    const Part board_{Part::measuring, "board"}, pi_{Part::measuring, "pi"};
};

TEST_F(PartsOfClassesTest, AllOfThemMakeAWholeInAnyOrder) {
    std::vector<Part> order{Part::training, board_, pi_};
    do {
        active_.kept.parts.clear();
        for (const Part& part : order) {
            EXPECT_FALSE(judge());
            EXPECT_TRUE(rules_->needs(active_, part));
            come(part, part.kind == Part::training ? outcome(Status::completed, {{"f1", 0.5}}, 7)
                                                   : latency(part == board_ ? 0.4 : 0.6));
            EXPECT_FALSE(rules_->needs(active_, part));
        }
        const auto whole = judge();
        ASSERT_TRUE(whole);
        EXPECT_EQ(whole->status, Status::completed);
        EXPECT_EQ(whole->metrics, (Metrics{{"f1", 0.5},
                                           {"latency_ms@board", 0.4},
                                           {"latency_ms@pi", 0.6},
                                           {"parameters", 7}}));
        EXPECT_EQ(whole->measuring_seconds, 4);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(PartsOfClassesTest, ABrokenLimitIsToldWhenAllHaveAnswered) {
    for (const auto& [first, second] : {std::pair(board_, pi_), std::pair(pi_, board_)}) {
        active_.kept.parts.clear();
        come(first, latency(1.5));
        EXPECT_FALSE(judge()) << "how much it breaks in all must not depend on who answers first";
        EXPECT_EQ(active_.verdict->status, Status::infeasible) << "training can be spared";
        come(second, latency(3));
        const auto whole = judge();
        ASSERT_TRUE(whole);
        EXPECT_EQ(whole->status, Status::infeasible);
        EXPECT_EQ(engine_->settings().goals.violation(whole->metrics), 2.5);
    }
}

TEST_F(PartsOfClassesTest, OneThatFailsEndsItAndSaysWhere) {
    for (const double other : {0.4, 1.5}) {
        active_.kept.parts.clear();
        come(pi_, outcome(Status::failed, {}, 2));
        ASSERT_TRUE(judge()) << "the other class need not measure it";
        EXPECT_EQ(judge()->status, Status::failed);
        EXPECT_EQ(judge()->reason, "pi: why");
        come(board_, latency(other));
        EXPECT_EQ(judge()->status, Status::failed) << "whatever the other says";
    }
    active_.kept.parts.clear();
    come(board_, outcome(Status::completed, {{"latency_p90_ms", 1}}, 2));
    EXPECT_EQ(judge()->reason, "board: the device delivered no latency_ms");
}

TEST_F(PartsOfClassesTest, OnAHigherRungAllOfItIsKnown) {
    active_.kept.candidate.rung = 1;
    active_.kept.candidate.known = {{"latency_ms@board", 0.4}, {"latency_ms@pi", 0.6}};
    EXPECT_FALSE(rules_->needs_measuring(active_));
    come(Part::training, outcome(Status::completed, {{"f1", 0.5}}, 7));
    EXPECT_EQ(judge()->status, Status::completed);
}

}  // namespace
}  // namespace edgeloop::parts_test
