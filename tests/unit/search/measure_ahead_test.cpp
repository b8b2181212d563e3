// Designs that are measured before it is decided whether they are trained.
#include "support/search_support.hpp"

#include "edgeloop/search/simulation.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::measure_ahead_test {
namespace {

using test::box_settings;
using test::complete;
using test::unit_box;

double latency_of(const Genome& genome) { return 1 + genome.genes[0] * (2 + genome.genes[1]); }

CompletedCandidate trained(const Candidate& candidate, const Metrics& measured) {
    CompletedCandidate completed = complete(candidate, measured);
    completed.settled = measured;
    completed.metrics["error"] =
        2 - candidate.genome.genes[0] + std::abs(candidate.genome.genes[2] - 0.4);
    return completed;
}

EngineSettings settings_of(std::uint64_t evaluations) {
    EngineSettings settings = box_settings(EngineKind::model_based, 12, evaluations);
    settings.goals.objectives = {"error", "latency"};
    settings.goals.reference = {4, 5};
    return settings;
}

Outcome measured(const Genome& genome) {
    return {0, Status::completed, {{"latency", latency_of(genome)}}};
}

class MeasureAhead : public testing::Test {
  protected:
    void run(std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto candidate = engine_->ask();
            ASSERT_TRUE(candidate);
            engine_->tell(trained(*candidate, measured(candidate->genome).metrics));
        }
    }

    SearchSpace space_ = unit_box(4);
    std::unique_ptr<Engine> engine_ = make_engine(space_, settings_of(60));
};

TEST_F(MeasureAhead, NothingIsScoutedBeforeThereIsAModel) {
    EXPECT_FALSE(engine_->scout());
    run(3);
    EXPECT_FALSE(engine_->scout());
    run(9);
    EXPECT_TRUE(engine_->scout());
}

TEST_F(MeasureAhead, AScoutIsANewDesignAndNoCandidate) {
    run(12);
    std::set<std::vector<double>> scouts;
    for (int i = 0; i < 6; ++i) {
        const auto scout = engine_->scout();
        ASSERT_TRUE(scout);
        EXPECT_TRUE(is_scout(scout->id));
        EXPECT_EQ(repeat_of(1), 0u);
        EXPECT_TRUE(scouts.insert(scout->genome.genes).second);
        EXPECT_EQ(engine_->state().pending.count(scout->id), 0u);
    }
    EXPECT_EQ(engine_->state().proposed, 12u);
    EXPECT_EQ(engine_->state().model.scouts, 0u);  // as long as nothing came back
}

TEST_F(MeasureAhead, WhatWasMeasuredIsKnownWhenTheDesignIsProposed) {
    run(12);
    int used = 0;
    for (int i = 0; i < 30; ++i) {
        for (int k = 0; k < 4; ++k)
            if (const auto scout = engine_->scout())
                engine_->inform({scout->genome, measured(scout->genome), {}, scout->parents});
        const auto candidate = engine_->ask();
        ASSERT_TRUE(candidate);
        for (const auto& before : engine_->measured_before(candidate->genome)) {
            EXPECT_EQ(before.second.metrics.at("latency"), latency_of(candidate->genome));
            ++used;
        }
        engine_->tell(trained(*candidate, measured(candidate->genome).metrics));
        EXPECT_TRUE(engine_->measured_before(candidate->genome).empty());  // it is a result now
    }
    EXPECT_GT(used, 5);
    EXPECT_EQ(engine_->state().model.scouts, 120u);
}

TEST_F(MeasureAhead, OneThatCouldNotBeMeasuredIsNotAskedForAgain) {
    run(12);
    const auto scout = engine_->scout();
    ASSERT_TRUE(scout);
    engine_->inform({scout->genome, {0, Status::failed, {}, "too large"}});
    EXPECT_TRUE(engine_->measured_before(scout->genome).empty());
    for (int i = 0; i < 10; ++i) EXPECT_NE(engine_->scout()->genome, scout->genome);
}

TEST_F(MeasureAhead, BreakingALimitWhenMeasuredEndsIt) {
    EngineSettings settings = settings_of(60);
    settings.goals.constraints = {parse_constraint("latency<=2")};
    engine_ = make_engine(space_, settings);
    for (int i = 0; i < 40; ++i) {
        const auto candidate = engine_->ask();
        ASSERT_TRUE(candidate);
        for (const auto& before : engine_->measured_before(candidate->genome))
            EXPECT_LE(before.second.metrics.at("latency"), 2);
        CompletedCandidate completed = trained(*candidate, measured(candidate->genome).metrics);
        if (completed.metrics["latency"] > 2) completed.status = Status::infeasible;
        engine_->tell(completed);
        if (const auto scout = engine_->scout())
            engine_->inform({scout->genome, measured(scout->genome), {}, scout->parents});
    }
    EXPECT_GT(engine_->state().model.scouts, 20u);
}

TEST(Scouts, HaveIdsOfTheirOwn) {
    EXPECT_FALSE(is_scout(1));
    EXPECT_FALSE(is_scout(repeat_id(999'999'999, 100)));
    EXPECT_TRUE(is_scout(scout_id(Digest{1, 2})));
    EXPECT_NE(scout_id(Digest{1, 0xffff0000ffff0000}), scout_id(Digest{1, 0xffff0000ffff0008}));
}

}  // namespace
}  // namespace edgeloop::measure_ahead_test
