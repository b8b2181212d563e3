#include "edgeloop/surrogate/design_model.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::design_model_test {
namespace {

double error_of(const Genome& genome) {
    const double x = genome.genes[0], y = genome.genes[1], z = genome.genes[2];
    return 5 + 20 * (x - 0.3) * (x - 0.3) + 5 * y * z;
}
double latency_of(const Genome& genome) { return 1 + 3 * genome.genes[1]; }

class Model : public testing::Test {
  protected:
    Model()
        : space_(SearchSpace::box({0, 0, 0}, {1, 1, 1})),
          model_(space_, {"error", "latency"}, {"error", "latency"}) {}

    ModelResult result(const Genome& genome, int rung = 0) {
        ModelResult result{++last_, genome, rung, {{"error", error_of(genome)}}, 1};
        if (rung == 0) result.metrics["latency"] = latency_of(genome);
        return result;
    }
    std::vector<ModelResult> results(std::size_t count) {
        std::vector<ModelResult> all;
        for (std::size_t i = 0; i < count; ++i) all.push_back(result(space_.sample(random_)));
        return all;
    }
    std::vector<Belief> predicted(const Genome& genome) {
        return model_.predict({&genome}).front();
    }

    SearchSpace space_;
    DesignModel model_;
    FittedMetrics fitted_;
    RandomStream random_{1, "model"};
    std::uint64_t last_ = 0;
};

TEST_F(Model, PredictsMetricsInTheirUnitsWithHonestIntervals) {
    const auto all = results(60);
    model_.fit(all, fitted_);
    EXPECT_GT(fitted_.at("error").skill, 0.9);
    EXPECT_EQ(fitted_.at("error").results, 60u);
    ASSERT_TRUE(model_.learn(all, fitted_));
    int within = 0;
    for (int i = 0; i < 200; ++i) {
        const Genome genome = space_.sample(random_);
        const std::vector<Belief> beliefs = predicted(genome);
        ASSERT_EQ(beliefs.size(), 2u);
        EXPECT_NEAR(beliefs[1].median(), latency_of(genome), 0.15);
        within += beliefs[0].quantile(-2) <= error_of(genome) &&
                          error_of(genome) <= beliefs[0].quantile(2)
                      ? 1
                      : 0;
    }
    EXPECT_GT(within, 170);
}

TEST_F(Model, AFitIsMadeAnewWhenATenthMoreIsKnown) {
    auto all = results(40);
    model_.fit(all, fitted_);
    const FittedMetrics first = fitted_;
    all.push_back(result(space_.sample(random_)));
    model_.fit(all, fitted_);
    EXPECT_EQ(fitted_.at("error").parameters, first.at("error").parameters);
    for (int i = 0; i < 4; ++i) all.push_back(result(space_.sample(random_)));
    model_.fit(all, fitted_);
    EXPECT_EQ(fitted_.at("error").results, 45u);
    EXPECT_NE(fitted_.at("error").parameters, first.at("error").parameters);
    // The same results and the same start give the same parameters, bit by bit.
    FittedMetrics again = first;
    model_.fit(all, again);
    EXPECT_EQ(again.at("error").parameters, fitted_.at("error").parameters);
}

TEST_F(Model, WhatIsUnderWayIsNoLongerUncertain) {
    const auto all = results(20);
    model_.fit(all, fitted_);
    ASSERT_TRUE(model_.learn(all, fitted_));
    const Genome there{{0.9, 0.9, 0.9}};
    const double before = predicted(there)[0].scale(), median = predicted(there)[0].median();
    model_.believe({{99, there, 0, {{"latency", 4.3}}, 1}});
    EXPECT_LT(predicted(there)[0].scale(), 0.5 * before);
    EXPECT_NEAR(predicted(there)[0].median(), median, 0.1 * median);
    EXPECT_NEAR(predicted(there)[1].median(), 4.3, 0.2);  // as it was measured
}

TEST_F(Model, LearnsOfTheFullBudgetFromALowerRung) {
    // After few epochs errors are 3 times as large and 2 more; 60 designs there, 8 on the top.
    std::vector<ModelResult> all = results(60);
    for (ModelResult& each : all) each.metrics["error"] = 2 + 3 * each.metrics["error"];
    for (std::size_t i = 0; i < 8; ++i) {
        ModelResult top{all[i].id, all[i].genome, 1, {{"error", error_of(all[i].genome)}}, 1};
        all.push_back(top);
    }
    model_.fit(all, fitted_);
    ASSERT_TRUE(model_.learn(all, fitted_));
    double squares = 0, spread = 0;
    for (int i = 0; i < 100; ++i) {
        const Genome genome = space_.sample(random_);
        squares += std::pow(predicted(genome)[0].median() - error_of(genome), 2);
        spread += std::pow(error_of(genome) - 7.5, 2);
    }
    EXPECT_LT(squares, 0.15 * spread);
}

TEST_F(Model, OfThousandsThoseNearTheFrontAreUsed) {
    const auto all = results(3000);
    model_.fit(all, fitted_);
    ASSERT_TRUE(model_.learn(all, fitted_));
    // Near the front (y small, x near 0.3) it is precise.
    double worst = 0;
    for (int i = 0; i < 100; ++i) {
        const Genome genome{
            {random_.uniform(0.2, 0.4), random_.uniform(0, 0.1), random_.uniform()}};
        worst = std::max(worst, std::abs(predicted(genome)[0].median() - error_of(genome)));
    }
    EXPECT_LT(worst, 0.3);
}

TEST_F(Model, EqualValuesAndOneResultAreNoTrouble) {
    std::vector<ModelResult> all = results(1);
    model_.fit(all, fitted_);
    ASSERT_TRUE(model_.learn(all, fitted_));
    EXPECT_TRUE(std::isfinite(predicted({{0.5, 0.5, 0.5}})[0].median()));
    all = results(12);
    for (ModelResult& each : all) each.metrics["error"] = 0;
    fitted_.clear();
    model_.fit(all, fitted_);
    ASSERT_TRUE(model_.learn(all, fitted_));
    EXPECT_NEAR(predicted({{0.5, 0.5, 0.5}})[0].median(), 0, 1e-6);
    EXPECT_EQ(fitted_.at("error").skill, 1);  // it cannot be predicted better
}

TEST_F(Model, NegativeMetricsAreLearntAsWell) {
    std::vector<ModelResult> all = results(60);
    for (ModelResult& each : all) each.metrics["error"] -= 10;
    model_.fit(all, fitted_);
    ASSERT_TRUE(model_.learn(all, fitted_));
    const Genome genome{{0.5, 0.5, 0.5}};
    EXPECT_NEAR(predicted(genome)[0].median(), error_of(genome) - 10, 0.5);
}

}  // namespace
}  // namespace edgeloop::design_model_test
