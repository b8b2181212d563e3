#include "search/surrogate.hpp"

#include "support/search_support.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::surrogate_test {
namespace {

using test::complete;
using test::unit_box;

const Goals goals{{"error", "latency"}, {}, {}};

Candidate at(std::vector<double> genes) {
    Candidate candidate;
    candidate.genome.genes = std::move(genes);
    return candidate;
}

// Quadratic logarithms, with an interaction.
Metrics truth(const Genome& genome) {
    const double x = genome.genes[0], y = genome.genes[1];
    return {{"error", std::exp(-2 + (x - 0.4) * (x - 0.4) + x * y)},
            {"latency", std::exp(1 + 2 * x)},
            {"flops", std::exp(20 + x)}};
}

TEST(Surrogate, FindsAQuadraticSurfaceAndIsLessSureFarAway) {
    const SearchSpace space = unit_box(2);
    std::vector<SurfaceSums> sums(1);
    Surrogate surrogate(space, goals, sums);
    EXPECT_FALSE(surrogate.predict(at({0, 0}).genome, {}, -1, 0));
    RandomStream random(1, "surface");
    for (int i = 0; i < 400; ++i) {
        const Candidate candidate = at({0.5 * random.uniform(), 0.5 * random.uniform()});
        surrogate.learn(complete(candidate, truth(candidate.genome)), sums);
    }
    const Genome inside = at({0.3, 0.2}).genome, outside = at({1, 1}).genome;
    const auto expected = surrogate.predict(inside, {}, -1, 0);
    ASSERT_TRUE(expected);
    EXPECT_NEAR(expected->bound[0] / truth(inside).at("error"), 1, 0.01);
    EXPECT_NEAR(expected->bound[1] / truth(inside).at("latency"), 1, 0.01);
    EXPECT_NEAR(expected->cost / truth(inside).at("flops"), 1, 0.01);
    const auto ratio = [&](const Genome& genome) {
        return surrogate.predict(genome, {}, -1, 2)->bound[0] /
               surrogate.predict(genome, {}, -1, 0)->bound[0];
    };
    EXPECT_LT(ratio(inside), 1);
    EXPECT_LT(ratio(outside), ratio(inside));
    EXPECT_DOUBLE_EQ(surrogate.predict(inside, {{"latency", 7.0}}, -1, 2)->bound[1], 7.0);
}

TEST(Surrogate, IgnoresWhatHasNoLogarithm) {
    const SearchSpace space = unit_box(2);
    std::vector<SurfaceSums> sums(1);
    Surrogate surrogate(space, goals, sums);
    surrogate.learn(complete(at({0.5, 0.5}), {{"error", 0.0}, {"latency", 1.0}}), sums);
    surrogate.learn(complete(at({0.5, 0.5}), {{"error", 1.0}}), sums);
    EXPECT_EQ(sums[0].count, 0u);
}

TEST(Acquisition, IsTheNewVolumePerFlopOrHowFarBehind) {
    const Points rivals = {{1, 3}, {3, 1}};
    const std::vector<double> reference = {4, 4};
    EXPECT_DOUBLE_EQ(acquisition({{2, 2}, 1}, rivals, reference), 1);
    EXPECT_DOUBLE_EQ(acquisition({{2, 2}, 4}, rivals, reference), 0.25);
    EXPECT_DOUBLE_EQ(acquisition({{2, 2}, 1}, {}, reference), 4);
    EXPECT_DOUBLE_EQ(acquisition({{3.4, 3.8}, 1}, rivals, reference), -0.2);
    EXPECT_DOUBLE_EQ(acquisition({{0.5, 5}, 1}, rivals, reference), 0);  // beyond the reference
    EXPECT_DOUBLE_EQ(acquisition({{1, 3}, 1}, rivals, reference), 0);    // nothing new
}

}  // namespace
}  // namespace edgeloop::surrogate_test
