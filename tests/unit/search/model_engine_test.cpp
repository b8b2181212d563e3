// The engine that a model leads.
#include "support/search_support.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgeloop::model_engine_test {
namespace {

using test::complete;
using test::drive;

/// Six operations of five kinds, as in tables of cells; the latency is known beforehand.
SearchSpace cells() {
    std::vector<Variable> genes;
    for (int i = 0; i < 6; ++i) {
        Variable op;
        op.name = fmt::format("op{}", i);
        op.choices = {"none", "skip", "conv1", "conv3", "pool"};
        genes.push_back(std::move(op));
    }
    return SearchSpace::of_genes("cells", std::move(genes));
}

/// Strong operations are slow; some go well together.
double error_of(const Genome& genome) {
    constexpr double strength[] = {0, 0.4, 0.9, 1.3, 0.6};
    double sum = 0;
    for (std::size_t i = 0; i < 6; ++i)
        sum += strength[static_cast<std::size_t>(genome.genes[i])] / (1 + 0.3 * double(i));
    if (genome.genes[0] == 1 && genome.genes[3] == 3) sum += 1;
    if (genome.genes[2] == genome.genes[4]) sum -= 0.5;
    return 8 + 80 * std::exp(-sum);
}

double latency_of(const Genome& genome) {
    constexpr double cost[] = {0.1, 0.15, 0.9, 2.2, 0.7};
    double sum = 1;
    for (std::size_t i = 0; i < 6; ++i) sum += cost[static_cast<std::size_t>(genome.genes[i])];
    return sum;
}

const Point reference{88, 15};

Metrics latency(const Candidate& candidate) { return {{"latency", latency_of(candidate.genome)}}; }

CompletedCandidate train(const Candidate& candidate) {
    CompletedCandidate completed = complete(candidate, candidate.known);
    completed.settled = candidate.known;
    completed.metrics["error"] = error_of(candidate.genome);
    return completed;
}

EngineSettings settings_of(EngineKind kind, std::uint64_t evaluations, std::uint64_t seed = 1) {
    EngineSettings settings = test::box_settings(kind, 20, evaluations, seed);
    settings.goals.objectives = {"error", "latency"};
    settings.goals.reference = reference;
    return settings;
}

double reached(EngineKind kind, std::uint64_t evaluations, std::uint64_t seed) {
    const SearchSpace space = cells();
    const auto engine = make_engine(space, settings_of(kind, evaluations, seed), latency);
    while (const auto candidate = engine->ask()) engine->tell(train(*candidate));
    return hypervolume(engine->state().archive.points(), reference);
}

TEST(ModelEngine, FindsWithAThirdOfTheTrainingsWhatEvolutionFinds) {
    double model = 0, plain = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        model += reached(EngineKind::model_based, 40, seed);
        plain += reached(EngineKind::generational, 120, seed);
    }
    EXPECT_GT(model, plain);
}

TEST(ModelEngine, ChecksItsIntervalsAgainstWhatCameIn) {
    const SearchSpace space = cells();
    const auto engine = make_engine(space, settings_of(EngineKind::model_based, 100), latency);
    while (const auto candidate = engine->ask()) engine->tell(train(*candidate));
    const ModelState& model = engine->state().model;
    EXPECT_GT(model.intervals, 80u);  // one metric is predicted, after the first designs
    EXPECT_GT(double(model.held), 0.5 * double(model.intervals));
    EXPECT_TRUE(model.expected.empty());
    EXPECT_EQ(model.fitted.size(), 1u);  // what is known beforehand is not predicted
}

TEST(ModelEngine, WorkersThatAskAtOnceAreNotSentToOnePlace) {
    const SearchSpace space = test::unit_box(3);
    EngineSettings settings = test::box_settings(EngineKind::model_based, 20, 200);
    settings.goals.reference = {1.1, 11};
    const auto engine = make_engine(space, settings);
    for (int i = 0; i < 40; ++i) {
        const auto candidate = engine->ask();
        ASSERT_TRUE(candidate);
        engine->tell(complete(*candidate, test::zdt1(candidate->genome)));
    }
    std::vector<std::vector<double>> asked;
    for (int i = 0; i < 16; ++i) asked.push_back(engine->ask()->genome.genes);
    double nearest = 1;
    for (std::size_t i = 0; i < asked.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            double squared = 0;
            for (std::size_t k = 0; k < 3; ++k)
                squared += (asked[i][k] - asked[j][k]) * (asked[i][k] - asked[j][k]);
            nearest = std::min(nearest, std::sqrt(squared));
        }
    EXPECT_GT(nearest, 1e-3);
}

TEST(ModelEngine, GoesOnFromAStateAsIfNothingHadHappened) {
    const SearchSpace space = cells();
    for (const bool ladder : {false, true}) {
        EngineSettings settings = settings_of(EngineKind::model_based, 60);
        if (ladder) settings.ladder.epochs = {1, 3, 9};
        const auto straight = make_engine(space, settings, latency);
        std::vector<std::pair<CandidateId, int>> expected, actual;
        const auto step = [](Engine& engine, auto& log) {
            const auto candidate = engine.ask();
            if (!candidate) return false;
            log.emplace_back(candidate->id, candidate->rung);
            engine.tell(train(*candidate));
            return true;
        };
        while (step(*straight, expected)) {
        }
        auto interrupted = make_engine(space, settings, latency);
        for (int i = 0; step(*interrupted, actual); ++i) {
            if (i % 7 != 3) continue;
            auto resumed = make_engine(space, settings, latency);
            resumed->restore(interrupted->state());
            interrupted = std::move(resumed);
        }
        EXPECT_EQ(actual, expected);
        EXPECT_GE(expected.size(), 60u);
        EXPECT_TRUE(interrupted->finished());
    }
}

/// After few epochs all are worse, the slow learners most.
CompletedCandidate train_rung(const Candidate& candidate) {
    CompletedCandidate completed = train(candidate);
    if (candidate.rung == 0)
        completed.metrics["error"] =
            10 + 1.2 * completed.metrics["error"] + 3 * candidate.genome.genes[5];
    return completed;
}

TEST(ModelEngine, PromotesWhatPromisesMostAndNotMoreThanTheReductionSays) {
    const SearchSpace space = cells();
    EngineSettings settings = settings_of(EngineKind::model_based, 90);
    settings.ladder = {{1, 20}, 3};
    const auto engine = make_engine(space, settings, latency);
    std::map<int, int> by_rung;
    while (const auto candidate = engine->ask()) {
        ++by_rung[candidate->rung];
        engine->tell(train_rung(*candidate));
    }
    EXPECT_TRUE(engine->finished());
    EXPECT_EQ(by_rung[0], 90);
    EXPECT_EQ(by_rung[1], 30);
    EXPECT_GT(hypervolume(engine->state().archive.points(), reference),
              reached(EngineKind::random, 90, 1));
}

TEST(ModelEngine, ABudgetIsSpentAndTheSearchEnds) {
    const SearchSpace space = cells();
    for (const bool ladder : {false, true}) {
        EngineSettings settings = settings_of(EngineKind::model_based, no_limit);
        settings.budget = parse_budget("200epochs");
        settings.epochs = ladder ? 0 : 4;
        if (ladder) settings.ladder.epochs = {1, 4};
        const auto engine = make_engine(space, settings, latency);
        int epochs = 0;
        while (const auto candidate = engine->ask()) {
            epochs += candidate->epochs - candidate->trained_epochs;
            engine->tell(train_rung(*candidate));
        }
        EXPECT_TRUE(engine->finished());
        EXPECT_LE(epochs, 200);
        EXPECT_GT(epochs, 190);
    }
}

TEST(ModelEngine, AnEntireSpaceIsSearchedAndThenItEnds) {
    Variable a, b;
    a.name = "a";
    b.name = "b";
    a.kind = b.kind = GeneKind::integer;
    a.lower = b.lower = 1;
    a.upper = 6;
    b.upper = 5;
    const SearchSpace space = SearchSpace::of_genes("small", {a, b});
    EngineSettings settings = settings_of(EngineKind::model_based, 100);
    settings.goals.objectives = {"f1", "f2"};
    settings.goals.reference = {10, 10};
    const auto engine = make_engine(space, settings);
    std::set<std::vector<double>> seen;
    while (const auto candidate = engine->ask()) {
        const std::vector<double>& genes = candidate->genome.genes;
        EXPECT_TRUE(seen.insert(genes).second);
        engine->tell(complete(*candidate, {{"f1", genes[0]}, {"f2", 6 - genes[0] + genes[1]}}));
    }
    EXPECT_EQ(seen.size(), 30u);
    EXPECT_TRUE(engine->finished());
    EXPECT_TRUE(engine->state().exhausted);
}

TEST(ModelEngine, KeepsToAConstraintThatItHasToPredict) {
    const SearchSpace space = cells();
    EngineSettings settings = settings_of(EngineKind::model_based, 80);
    settings.goals.constraints = {parse_constraint("latency<=5")};
    const auto engine = make_engine(space, settings);  // nobody says the latency beforehand
    int broken = 0;
    for (int i = 0; const auto candidate = engine->ask(); ++i) {
        CompletedCandidate completed = train(*candidate);
        completed.metrics["latency"] = latency_of(candidate->genome);
        completed.settled["latency"] = completed.metrics["latency"];
        if (completed.metrics["latency"] > 5) {
            completed.status = Status::infeasible;
            completed.metrics.erase("error");  // it was not trained
            broken += i >= 40 ? 1 : 0;
        }
        engine->tell(completed);
    }
    EXPECT_LT(broken, 8);
    EXPECT_EQ(engine->state().model.fitted.size(), 2u);
}

TEST(ModelEngine, WithoutAnythingToLearnItActsAsThePlainOne) {
    const SearchSpace space = cells();
    const auto engine = make_engine(space, settings_of(EngineKind::model_based, 120), latency);
    RandomStream random(3, "noise");
    while (const auto candidate = engine->ask()) {
        CompletedCandidate completed = train(*candidate);
        completed.metrics["error"] = random.uniform(10, 80);
        engine->tell(completed);
    }
    EXPECT_EQ(engine->state().done, 120u);
    EXPECT_LT(engine->state().model.fitted.at("error").skill, 0.2);
}

/// One training differs from the next.
CompletedCandidate train_noisily(const Candidate& candidate) {
    CompletedCandidate completed = train(candidate);
    completed.metrics["error"] *= 1 + 0.2 * std::sin(double(candidate.seed % 1000));
    return completed;
}

EngineSettings confirming(std::uint64_t evaluations) {
    EngineSettings settings = settings_of(EngineKind::model_based, evaluations);
    settings.confirm = 3;
    return settings;
}

TEST(ModelEngine, ConfirmsWhatHasStayedOnTheFrontAndInTheEndAllOfIt) {
    const SearchSpace space = cells();
    for (const bool budget : {false, true}) {
        EngineSettings settings = confirming(budget ? no_limit : 90);
        settings.confirm = 2;
        if (budget) {
            settings.budget = parse_budget("200epochs");
            settings.epochs = 2;
        }
        const auto engine = make_engine(space, settings, latency);
        const EngineState& state = engine->state();
        std::map<CandidateId, std::uint64_t> number_of;
        std::size_t early = 0, late = 0;
        while (const auto candidate = engine->ask()) {
            if (repeat_of(candidate->id) == 0) {
                number_of[candidate->id] = state.proposed - 1;
                EXPECT_EQ(late, 0u) << "a design after the last";
            } else if (state.done < number_of.at(design_of(candidate->id)) + 20) {
                ++late;
            } else {
                ++early;
            }
            engine->tell(train_noisily(*candidate));
        }
        EXPECT_TRUE(engine->finished());
        EXPECT_LT(state.confirmation.asked + 2, state.done) << "else some stay unconfirmed";
        EXPECT_EQ(left_unconfirmed(*engine), 0u);
        EXPECT_GE(reported_front(*engine).size(), 4u);
        EXPECT_GE(early, 3u);
        EXPECT_GE(late, 3u);
        EXPECT_EQ(state.confirmation.told, early + late);
    }
}

TEST(ModelEngine, AJournalOfWhatItProposedIsRepeatedWithItsConfirmingTrainings) {
    const SearchSpace space = cells();
    for (const bool budget : {false, true}) {
        EngineSettings settings = confirming(budget ? no_limit : 50);
        if (budget) {
            settings.budget = parse_budget("200epochs");
            settings.epochs = 3;
        }
        const auto engine = make_engine(space, settings, latency),
                   again = make_engine(space, settings, latency);
        std::vector<CompletedCandidate> pending;
        while (!engine->finished()) {
            // Three workers, the last one asked is done first.
            std::optional<Candidate> candidate;
            while (pending.size() < 3 && (candidate = engine->ask())) {
                const auto repeated = again->ask_again(*candidate);
                ASSERT_TRUE(repeated);
                EXPECT_EQ(repeated->id, candidate->id);
                EXPECT_EQ(repeated->seed, candidate->seed);
                EXPECT_EQ(repeated->genome.genes, candidate->genome.genes);
                pending.push_back(train_noisily(*candidate));
            }
            if (pending.empty()) break;
            engine->tell(pending.back());
            again->tell(pending.back());
            pending.pop_back();
        }
        EXPECT_TRUE(engine->finished());
        EXPECT_GT(engine->state().confirmation.told, 6u);
        EXPECT_EQ(again->state().confirmation.told, engine->state().confirmation.told);
        EXPECT_EQ(again->state().archive.points(), engine->state().archive.points());
    }
}

TEST(ModelEngine, RepeatsMakeAMeanThatTheModelBelieves) {
    const SearchSpace space = cells();
    const auto engine = make_engine(space, confirming(60), latency);
    while (const auto candidate = engine->ask()) engine->tell(train_noisily(*candidate));
    const EngineState& state = engine->state();
    ASSERT_FALSE(state.confirmation.results.empty());
    for (const auto& [id, confirmed] : state.confirmation.results) {
        const CandidateId design = id;
        const auto found =
            std::find_if(state.model.results.begin(), state.model.results.end(),
                         [&](const ModelResult& result) { return result.id == design; });
        ASSERT_NE(found, state.model.results.end());
        EXPECT_EQ(found->trainings, 4);
        const double range = 0.3 * confirmed.mean.at("error");
        EXPECT_NEAR(found->metrics.at("error"), confirmed.mean.at("error"), range);
    }
}

}  // namespace
}  // namespace edgeloop::model_engine_test
