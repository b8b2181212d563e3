#include "surrogate/gaussian_process.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cmath>
#include <deque>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::gaussian_process_test {
namespace {

/// Two categorical genes with the same choices, an ordinal, a real and a conditional one.
SearchSpace mixed_space() {
    return SearchSpace::from_json(Json::parse(R"({
        "version": 1, "name": "mixed",
        "base": {"family": "cnn3d", "clip": {"frames": 8, "stride": 1, "side": 16},
                 "architecture": {"stages": [{"channels": 8, "kernel": [3, 3, 3]}], "hidden": [8]},
                 "training": {"epochs": 1}},
        "variables": [
            {"name": "a", "path": "training.schedule", "kind": "categorical", "choices": ["cosine", "constant", "step"]},
            {"name": "b", "path": "training.schedule", "kind": "categorical", "choices": ["cosine", "constant", "step"]},
            {"name": "c", "path": "architecture.stages.0.channels", "kind": "ordinal", "choices": [4, 8, 16, 32]},
            {"name": "d", "path": "training.learning_rate", "kind": "log_real", "lower": 0.001, "upper": 0.1},
            {"name": "e", "path": "architecture.hidden.0", "kind": "ordinal", "choices": [4, 8], "when": {"a": "cosine"}}
        ]})"),
                                  "test");
}

double truth(const Encoded& design) {
    const double choice[] = {0, 0.1, 1.0};
    return choice[static_cast<std::size_t>(design[0])] + 0.5 * design[2] +
           std::sin(3 * design[3]) * (design[1] == 0 ? 1 : 0.5) + (design[4] == 1 ? 0.5 : 0) - 0.8;
}

class Process : public testing::Test {
  protected:
    Process() : space_(mixed_space()), encoding_(space_), process_(encoding_) {}

    const Encoded* draw() {
        designs_.push_back(encoding_.encode(space_.sample(random_)));
        return &designs_.back();
    }
    std::vector<Observation> seen(std::size_t count) {
        std::vector<Observation> observations;
        for (std::size_t i = 0; i < count; ++i) {
            const Encoded* const design = draw();
            observations.push_back({design, static_cast<int>(i % 2), truth(*design), 1});
        }
        return observations;
    }

    SearchSpace space_;
    DesignEncoding encoding_;
    GaussianProcess process_;
    RandomStream random_{1, "process"};
    std::deque<Encoded> designs_;
};

TEST_F(Process, TheGradientIsThatOfTheLoss) {
    const std::vector<Observation> observations = seen(25);
    std::vector<double> parameters = process_.initial_parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i)
        parameters[i] += 0.3 * std::sin(static_cast<double>(i));
    std::vector<double> gradient, ignored;
    (void)process_.loss(observations, parameters, gradient);
    ASSERT_EQ(gradient.size(), parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        constexpr double step = 1e-5;
        std::vector<double> up = parameters, down = parameters;
        up[i] += step;
        down[i] -= step;
        const double slope = (process_.loss(observations, up, ignored) -
                              process_.loss(observations, down, ignored)) /
                             (2 * step);
        EXPECT_NEAR(gradient[i], slope, 1e-4 * (1 + std::abs(slope))) << "parameter " << i;
    }
}

TEST_F(Process, AFitRaisesTheLikelihoodAndPredictsWhatItHasNotSeen) {
    const std::vector<Observation> observations = seen(80);
    std::vector<double> gradient;
    const std::vector<double> start = process_.initial_parameters();
    const std::vector<double> fitted = process_.fitted(observations, start, 40);
    EXPECT_LT(process_.loss(observations, fitted, gradient),
              process_.loss(observations, start, gradient) - 5);
    process_.condition(observations, fitted);
    EXPECT_GT(process_.skill(), 0.9);
    std::vector<const Encoded*> fresh;
    for (int i = 0; i < 200; ++i) fresh.push_back(draw());
    const auto predicted = process_.predict(fresh, 1);
    double squares = 0, all = 0;
    int within = 0;
    for (std::size_t i = 0; i < fresh.size(); ++i) {
        const double miss = predicted[i].mean - truth(*fresh[i]);
        squares += miss * miss;
        all += truth(*fresh[i]) * truth(*fresh[i]);
        within += std::abs(miss) <= 2 * predicted[i].deviation + 0.02 ? 1 : 0;
    }
    EXPECT_LT(squares, 0.05 * all);
    EXPECT_GT(within, 170);
}

TEST_F(Process, PassesThroughWhatIsKnownWithoutNoise) {
    const std::vector<Observation> observations = seen(20);
    std::vector<double> parameters = process_.initial_parameters();
    parameters[parameters.size() - 2] = -12;  // the noise
    process_.condition(observations, parameters);
    for (const Observation& each : observations) {
        const auto predicted = process_.predict({each.design}, each.rung).front();
        EXPECT_NEAR(predicted.mean, each.value, 1e-3);
        EXPECT_LT(predicted.deviation, 0.05);
    }
}

TEST_F(Process, MeansOfSeveralTrainingsAreBelievedMore) {
    const Encoded* const design = draw();
    std::vector<double> parameters = process_.initial_parameters();
    parameters[parameters.size() - 2] = 0;  // as much noise as signal
    const auto deviation = [&](double trainings) {
        process_.condition({{design, 0, 1.0, trainings}}, parameters);
        return process_.predict({design}, 0).front().deviation;
    };
    EXPECT_LT(deviation(4), 0.8 * deviation(1));
    EXPECT_DOUBLE_EQ(process_.noise(), 1);
}

TEST_F(Process, ExtendingIsTheSameAsConditioningOnAll) {
    const std::vector<Observation> all = seen(30);
    const std::vector<Observation> first(all.begin(), all.begin() + 20),
        more(all.begin() + 20, all.end());
    const std::vector<double> parameters = process_.initial_parameters();
    process_.condition(all, parameters);
    std::vector<const Encoded*> fresh{draw(), draw(), draw()};
    const auto expected = process_.predict(fresh, 1);
    process_.condition(first, parameters);
    process_.extend(more);
    const auto extended = process_.predict(fresh, 1);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
        EXPECT_NEAR(extended[i].mean, expected[i].mean, 1e-3);
        EXPECT_NEAR(extended[i].deviation, expected[i].deviation, 1e-3);
    }
    process_.extend(first);  // designs that are known already do no harm
    EXPECT_TRUE(std::isfinite(process_.predict(fresh, 1)[0].mean));
}

TEST_F(Process, KnowsNothingOfNoise) {
    std::vector<Observation> observations = seen(60);
    for (Observation& each : observations) each.value = random_.uniform(-1, 1);
    process_.condition(observations,
                       process_.fitted(observations, process_.initial_parameters(), 40));
    EXPECT_LT(process_.skill(), 0.15);
}

TEST_F(Process, EqualDesignsWithoutNoiseDoNotBreakIt) {
    const Encoded* const design = draw();
    std::vector<double> parameters = process_.initial_parameters();
    parameters[parameters.size() - 2] = -12;
    process_.condition({{design, 0, 1, 1}, {design, 0, -1, 1}, {design, 0, 0.5, 1}}, parameters);
    EXPECT_TRUE(std::isfinite(process_.predict({design}, 0).front().mean));
}

TEST(Encoding, PutsOrderedGenesOnTheirScaleAndNamesInactiveOnes) {
    const SearchSpace space = mixed_space();
    const DesignEncoding encoding(space);
    ASSERT_EQ(encoding.genes().size(), 5u);
    EXPECT_EQ(encoding.choices(), 3u);  // both categorical genes choose among the same
    EXPECT_TRUE(encoding.genes()[2].ordered);
    const Encoded encoded = encoding.encode(Genome{{2, 0, 3, 0.01, 0}});
    EXPECT_EQ(encoded[0], 2);
    EXPECT_EQ(encoded[2], 1);
    EXPECT_NEAR(encoded[3], 0.5, 1e-12);
    EXPECT_EQ(encoded[4], inactive);
    EXPECT_EQ(encoding.encode(Genome{{0, 0, 3, 0.01, 1}})[4], 1);
}

}  // namespace
}  // namespace edgeloop::gaussian_process_test
