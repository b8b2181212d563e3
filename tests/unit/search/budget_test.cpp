#include "edgeloop/search/budget.hpp"

#include "support/search_support.hpp"
#include "support/serial_evaluator.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/search/simulation.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include <gtest/gtest.h>

namespace edgeloop::budget_test {
namespace {

using test::box_settings;
using test::complete;
using test::drive;
using test::unit_box;
using test::zdt1;

CompletedCandidate evaluated(const Candidate& candidate) {
    CompletedCandidate completed = complete(candidate, zdt1(candidate.genome));
    // Long and short ones, by the design alone.
    completed.training_seconds = epochs_to_train(candidate) * (1 + candidate.genome.genes[1]);
    if (candidate.id % 7 == 3) completed.status = Status::failed;
    return completed;
}

EngineSettings with_budget(EngineKind kind, const std::string& budget) {
    EngineSettings settings = box_settings(kind, 8, no_limit);
    settings.epochs = 3;
    settings.budget = parse_budget(budget);
    return settings;
}

double epochs_of(const std::vector<Candidate>& candidates) {
    double epochs = 0;
    for (const Candidate& candidate : candidates) epochs += epochs_to_train(candidate);
    return epochs;
}

std::vector<std::pair<CandidateId, int>> trainings(const std::vector<Candidate>& candidates) {
    std::vector<std::pair<CandidateId, int>> all;
    for (const Candidate& candidate : candidates) all.emplace_back(candidate.id, candidate.rung);
    std::sort(all.begin(), all.end());
    return all;
}

TEST(Budget, IsReadWithItsUnit) {
    EXPECT_EQ(parse_budget("500epochs").unit, Budget::Unit::epochs);
    EXPECT_EQ(parse_budget("500epochs").amount, 500);
    EXPECT_EQ(parse_budget("0.5corehours").unit, Budget::Unit::core_hours);
    EXPECT_EQ(parse_budget("0.5corehours").amount, 0.5);
    EXPECT_EQ(parse_budget("3600 s").unit, Budget::Unit::seconds);
    EXPECT_FALSE(parse_budget("").limits());
    for (const char* text : {"500epochs", "0.5corehours", "3600s"})
        EXPECT_EQ(to_string(parse_budget(text)), text);
}

TEST(Budget, WhatCannotBeReadIsRefused) {
    for (const char* text : {"500", "epochs", "0epochs", "-3s", "1.5epochs", "3 weeks", "1 2s",
                             "1..2s", "1e3s", "nan s", "5epochs please"})
        EXPECT_THROW((void)parse_budget(text), ConfigError) << text;
}

TEST(Budget, CoreHoursCountTheCoresOfEachTraining) {
    Budget budget = parse_budget("2corehours");
    budget.cores = [](const Candidate& candidate) { return candidate.id == 1 ? 4.0 : 1.0; };
    Spent spent;
    for (const CandidateId id : {1u, 2u}) {
        CompletedCandidate completed;
        completed.candidate.id = id;
        completed.training_seconds = 720;
        spent.add(completed, budget);
    }
    EXPECT_EQ(spent.seconds, 1440);
    EXPECT_EQ(spent.in(Budget::Unit::core_hours), 1);
    EXPECT_EQ(spent.epochs, 2);  // at least one each
    EXPECT_EQ(epochs_left(budget, spent), 2);
}

TEST(Budget, WithoutAPriceTheRestIsWithoutLimit) {
    EXPECT_EQ(epochs_left(parse_budget("5s"), {}), std::numeric_limits<double>::infinity());
    EXPECT_EQ(epochs_left(parse_budget("5epochs"), {}), 5);
    EXPECT_EQ(epochs_left(parse_budget("5s"), Spent{2, 5, 5}), 0);
}

class BudgetOfEngine : public testing::TestWithParam<EngineKind> {};

TEST_P(BudgetOfEngine, EpochsAreSpentToTheLastThatFitsWhateverTheStatus) {
    const SearchSpace space = unit_box(4);
    const auto engine = make_engine(space, with_budget(GetParam(), "100epochs"));
    const auto all = drive(*engine, evaluated);
    EXPECT_EQ(all.size(), 33u);
    EXPECT_EQ(engine->state().spent.epochs, 99);
    EXPECT_EQ(engine->state().by_status.at(Status::failed), 5u);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].id, i + 1);
    EXPECT_EQ(engine->state().seen.size(), all.size());  // what did not fit was not tried
}

TEST_P(BudgetOfEngine, PromotionsCountAndNeverOverstepIt) {
    const SearchSpace space = unit_box(4);
    for (const int amount : {9, 10, 57, 100, 250}) {
        EngineSettings settings = with_budget(GetParam(), std::to_string(amount) + "epochs");
        settings.ladder.epochs = {1, 3, 9};
        const auto engine = make_engine(space, settings);
        const auto all = drive(*engine, evaluated);
        EXPECT_LE(epochs_of(all), amount);
        EXPECT_EQ(epochs_of(all), engine->state().spent.epochs);
        if (amount < 100) continue;
        // Nothing is left but what no cohort of one, or no promotion, would fit in.
        EXPECT_GT(epochs_of(all), amount - 9 - 8);
        // A model sends up what promises most, which is 1 in 9 at least.
        const int at_top = GetParam() == EngineKind::model_based ? 1 : 2;
        EXPECT_GE(std::count_if(all.begin(), all.end(), [](const auto& c) { return c.rung == 2; }),
                  at_top);
    }
}

TEST_P(BudgetOfEngine, EvaluationsStayAnUpperBound) {
    const SearchSpace space = unit_box(4);
    EngineSettings settings = with_budget(GetParam(), "100epochs");
    settings.evaluations = 12;
    EXPECT_EQ(drive(*make_engine(space, settings), evaluated).size(), 12u);
}

TEST_P(BudgetOfEngine, SecondsAreSpentAtTheMeanPriceSoFar) {
    const SearchSpace space = unit_box(4);
    const auto engine = make_engine(space, with_budget(GetParam(), "200s"));
    const auto all = drive(*engine, evaluated);
    EXPECT_GT(engine->state().spent.seconds, 170);
    EXPECT_LT(engine->state().spent.seconds, 230);  // a design costs 3 to 6 s
    EXPECT_GT(all.size(), 30u);
}

TEST_P(BudgetOfEngine, GoesOnFromASavedStateAsIfNothingHadHappened) {
    const SearchSpace space = unit_box(4);
    for (const char* budget : {"150epochs", "250s"}) {
        EngineSettings settings = with_budget(GetParam(), budget);
        settings.ladder.epochs = {1, 3, 9};
        std::vector<Candidate> whole;
        for (int steps = 0; steps < 90; steps += 6) {
            const auto before = make_engine(space, settings);
            std::vector<Candidate> all;
            const auto run = [&](Engine& engine, int most) {
                for (int step = 0; step < most && !engine.finished(); ++step)
                    if (auto candidate = engine.ask()) {
                        all.push_back(*candidate);
                        engine.tell(evaluated(*candidate));
                    }
            };
            run(*before, steps);
            const auto after = make_engine(space, settings);
            after->restore(before->state());
            run(*after, 10000);
            if (steps == 0) whole = all;
            EXPECT_EQ(trainings(all), trainings(whole)) << budget << " after " << steps;
            EXPECT_TRUE(after->finished());
        }
        EXPECT_GT(whole.size(), 40u);
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, BudgetOfEngine,
                         testing::Values(EngineKind::generational, EngineKind::steady_state,
                                         EngineKind::random, EngineKind::model_based),
                         [](const auto& kind) { return test::name_of(kind.param); });

TEST(GenerationalBudget, AGenerationHasAsManyDesignsAsFitWithTheirPromotions) {
    const SearchSpace space = unit_box(4);
    EngineSettings settings = with_budget(EngineKind::generational, "60epochs");
    settings.ladder.epochs = {1, 3, 9};
    // A generation of 8 takes 8 + 3 * 2 + 1 * 6 = 20 epochs; of 7, 19.
    EXPECT_EQ(epochs_of_cohort(settings.ladder, 8), 20);
    const auto engine = make_engine(space, settings);
    std::map<std::uint32_t, int> begun;
    for (const Candidate& candidate : drive(*engine, [](const Candidate& candidate) {
             return complete(candidate, zdt1(candidate.genome));
         }))
        begun[candidate.generation] += candidate.rung == 0 ? 1 : 0;
    EXPECT_EQ(begun, (std::map<std::uint32_t, int>{{0, 8}, {1, 8}, {2, 8}}));
    settings.budget = parse_budget("59epochs");
    begun.clear();
    for (const Candidate& candidate : drive(*make_engine(space, settings), [](const Candidate& c) {
             return complete(c, zdt1(c.genome));
         }))
        begun[candidate.generation] += candidate.rung == 0 ? 1 : 0;
    EXPECT_EQ(begun, (std::map<std::uint32_t, int>{{0, 8}, {1, 8}, {2, 7}}));
}

TEST(GenerationalBudget, MoreOfItContinuesTheRun) {
    const SearchSpace space = unit_box(4);
    const auto first = make_engine(space, with_budget(EngineKind::generational, "48epochs"));
    EXPECT_EQ(drive(*first, evaluated).size(), 16u);
    const auto second = make_engine(space, with_budget(EngineKind::generational, "96epochs"));
    second->restore(first->state());
    EXPECT_EQ(drive(*second, evaluated).size(), 16u);
    EXPECT_EQ(second->state().spent.epochs, 96);
}

TEST(GenerationalBudget, OneThatIsTooSmallForADesignIsRefused) {
    const SearchSpace space = unit_box(4);
    EXPECT_THROW((void)make_engine(space, with_budget(EngineKind::generational, "2epochs")),
                 ConfigError);
    EngineSettings settings = with_budget(EngineKind::generational, "8epochs");
    settings.ladder.epochs = {1, 9};
    EXPECT_THROW((void)make_engine(space, settings), ConfigError);
}

TEST(GenerationalBudget, WhatTheEventsToldIsWhatTheEngineKnows) {
    const SearchSpace space = unit_box(4);
    EngineSettings settings = with_budget(EngineKind::steady_state, "120s");
    settings.ladder.epochs = {1, 3, 9};
    settings.budget.cores = [](const Candidate& candidate) { return 1.0 + candidate.rung; };
    const auto engine = make_engine(space, settings);
    std::vector<Event> events;
    while (!engine->finished()) {
        const auto candidate = engine->ask();
        if (!candidate) continue;
        events.emplace_back(Proposed{*candidate});
        CompletedCandidate completed = evaluated(*candidate);
        engine->tell(completed);
        completed.candidate.epochs = 0;  // as in journals of earlier versions
        events.emplace_back(Told{completed});
    }
    const Spent spent = spent_in(events, events.size(), settings.budget);
    EXPECT_EQ(spent.epochs, engine->state().spent.epochs);
    EXPECT_EQ(spent.seconds, engine->state().spent.seconds);
    EXPECT_EQ(spent.core_seconds, engine->state().spent.core_seconds);
    EXPECT_GT(spent.core_seconds, spent.seconds);
}

// --- progress

std::vector<Progress> progress_of(const EngineSettings& settings) {
    const SearchSpace space = unit_box(4);
    const auto engine = make_engine(space, settings);
    std::vector<Progress> seen;
    NullRunStore store;
    SearchOptions options;
    options.status_seconds = 0;
    options.on_progress = [&](const Progress& progress) { seen.push_back(progress); };
    SerialEvaluator evaluator([](const Candidate& candidate) {
        Outcome outcome;
        outcome.id = candidate.id;
        outcome.metrics = zdt1(candidate.genome);
        return outcome;
    });
    (void)run_search(*engine, evaluator, nullptr, store, options);
    return seen;
}

TEST(ProgressOfBudget, IsToldInItsUnit) {
    EngineSettings settings = with_budget(EngineKind::generational, "60epochs");
    const auto seen = progress_of(settings);
    ASSERT_FALSE(seen.empty());
    ASSERT_TRUE(seen.back().effort);
    EXPECT_EQ(seen.back().effort->unit, "epochs");
    EXPECT_EQ(seen.back().effort->spent, 60);
    EXPECT_EQ(seen.back().effort->total, 60);
    EXPECT_EQ(seen.back().total, 0u);
    EXPECT_EQ(seen.back().eta_seconds, 0);
}

TEST(ProgressOfBudget, ARunOnAVirtualClockEndsWithIt) {
    const SearchSpace space = unit_box(4);
    for (const char* budget : {"47epochs", "47s"}) {
        const auto engine = make_engine(space, with_budget(EngineKind::generational, budget));
        VirtualClock clock;
        SimulatedEvaluator evaluator(clock, 3, [](const Candidate& candidate) {
            Outcome outcome;
            outcome.id = candidate.id;
            outcome.metrics = zdt1(candidate.genome);
            outcome.seconds = epochs_to_train(candidate);
            return outcome;
        });
        NullRunStore store;
        SearchOptions options;
        options.clock = &clock;
        const SearchResult result = run_search(*engine, evaluator, nullptr, store, options);
        EXPECT_EQ(result.progress.done, 15u) << budget;
        EXPECT_EQ(result.progress.effort->spent, 45) << budget;
    }
}

TEST(ProgressOfBudget, ALadderIsJudgedByItsEpochs) {
    EngineSettings settings = box_settings(EngineKind::generational, 8, 20);
    settings.ladder.epochs = {1, 3, 9};
    // Two generations of 8 and one of 4: 20, 20 and 4 + 2 * 2 + 6 epochs.
    EXPECT_EQ(expected_epochs(settings), 54);
    const auto seen = progress_of(settings);
    ASSERT_FALSE(seen.empty());
    ASSERT_TRUE(seen.back().effort);
    EXPECT_EQ(seen.back().effort->spent, 54);
    EXPECT_EQ(seen.back().total, 20u);
    EXPECT_FALSE(progress_of(box_settings(EngineKind::generational, 8, 20)).back().effort);
}

TEST(ProgressOfBudget, NeitherWithoutALadderNorWithoutALimitAnythingIsExpected) {
    EXPECT_FALSE(expected_epochs(box_settings(EngineKind::generational, 8, 20)));
    EngineSettings settings = box_settings(EngineKind::generational, 8, no_limit);
    settings.ladder.epochs = {1, 3};
    EXPECT_FALSE(expected_epochs(settings));
    settings.evaluations = 20;
    settings.kind = EngineKind::random;
    EXPECT_EQ(expected_epochs(settings), 20 + 7 * 2);
}

}  // namespace
}  // namespace edgeloop::budget_test
