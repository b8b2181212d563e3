#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/planning/calibration.hpp"

#include <cmath>
#include <utility>

#include <gtest/gtest.h>

namespace edgeloop::scaling_model_test {
namespace {

DesignCosts design(double flops, double layers = 10) {
    DesignCosts costs;
    costs.flops = flops;
    costs.layers = layers;
    costs.clip_values = 2000;
    costs.parameters = 5000;
    costs.batch = 8;
    return costs;
}

TEST(TrainingLoad, CountsStepsPassesAndMessagesOfOneRank) {
    const TrainingLoad alone = training_load(design(1e6), {100, 20}, 2, 1);
    EXPECT_EQ(alone, (TrainingLoad{1, 1e6 * (3 * 200 + 20), 10 * (3 * 26 + 3), 2000 * 220, 0, 0}));
    // 100 clips in steps of 4 x 8: 4 steps an epoch, the last of which is not full.
    const TrainingLoad four = training_load(design(1e6), {100, 20}, 2, 4);
    EXPECT_EQ(four, (TrainingLoad{1, 1e6 * (3 * 50 + 5), 10 * (3 * 8 + 1), 2000 * 55, 8 * 2,
                                  8 * 5000 * 1.5}));
    // In parts each layer is called so many times as often; all else stays.
    DesignCosts in_parts = design(1e6);
    in_parts.parts = 4;
    TrainingLoad calls = alone;
    calls[2] *= 4;
    EXPECT_EQ(training_load(in_parts, {100, 20}, 2, 1), calls);
}

TEST(DesignCosts, KnowInHowManyPartsABatchPasses) {
    ArchitectureSpec spec = ArchitectureSpec::from_file("human");
    Candidate candidate;
    for (const auto& [micro_batch, parts] :
         {std::pair{0, 1}, std::pair{1, 8}, std::pair{3, 3}, std::pair{8, 1}, std::pair{9, 1}}) {
        spec.training.batch = 8;
        spec.training.micro_batch = micro_batch;
        candidate.design = Design::of(spec);
        EXPECT_EQ(design_costs(candidate).parts, parts) << micro_batch;
    }
}

TEST(ScalingModel, FindsTheCostsBehindTheTimes) {
    const TrainingLoad costs{0.2, 3e-11, 2e-5, 1e-8, 4e-4, 1e-9};
    ScalingModel model;
    RandomStream random(1, "loads");
    std::vector<TrainingLoad> loads;
    for (int i = 0; i < 40; ++i) {
        DesignCosts made = design(random.uniform(1e6, 1e8), 5 + double(random.below(30)));
        made.clip_values = random.uniform(1e3, 2e4);
        made.parameters = random.uniform(1e3, 1e6);
        loads.push_back(training_load(made, {200, 50}, 1 + i % 3, 1 << i % 3));
        double seconds = 0;
        for (std::size_t k = 0; k < costs.size(); ++k) seconds += costs[k] * loads.back()[k];
        model.learn(loads.back(), seconds);
    }
    model.fit();
    EXPECT_LT(model.relative_error(), 1e-3);
    const TrainingLoad larger = training_load(design(5e8, 60), {1000, 100}, 5, 8);
    double expected = 0;
    for (std::size_t k = 0; k < costs.size(); ++k) expected += costs[k] * larger[k];
    EXPECT_NEAR(model.seconds(larger), expected, 0.02 * expected);
}

TEST(ScalingModel, MeetsTheSumOfWhatWasTimed) {
    ScalingModel model;
    RandomStream random(1, "seconds");
    double timed = 0, said = 0;
    std::vector<TrainingLoad> loads;
    for (int i = 1; i <= 50; ++i) {
        loads.push_back({1, double(i), 0, 0, 0, 0});
        const double seconds = (1 + i) * std::exp(0.5 * random.normal());
        model.learn(loads.back(), seconds);
        timed += seconds;
    }
    model.fit();
    for (const TrainingLoad& load : loads) said += model.seconds(load);
    EXPECT_NEAR(said, timed, 1e-9 * timed);
}

TEST(ScalingModel, NoCostIsNegative) {
    // The more FLOPs, the quicker: no proportional cost can say that.
    ScalingModel model;
    for (int i = 1; i <= 5; ++i) model.learn({1, double(i), 0, 0, 0, 0}, 6.0 - i);
    model.fit();
    for (const double cost : model.costs()) EXPECT_GE(cost, 0);
    EXPECT_GT(model.relative_error(), 0.1);
}

TEST(ScalingModel, WithoutTimesThereIsNothingToFit) {
    ScalingModel model;
    EXPECT_THROW(model.fit(), LogicError);
    EXPECT_THROW(model.learn({1, 0, 0, 0, 0, 0}, 0), LogicError);
}

}  // namespace
}  // namespace edgeloop::scaling_model_test
