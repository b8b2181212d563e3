#include "edgeloop/evolution/thinning.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/evolution/sorting.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::thinning_test {
namespace {

using testing::Contains;
using testing::ElementsAre;

std::vector<Individual> population_of(const std::vector<std::vector<double>>& objectives) {
    std::vector<Individual> population;
    for (const auto& one : objectives) population.push_back({population.size() + 1, {}, one, 0});
    return population;
}

std::vector<std::size_t> everyone(const std::vector<Individual>& population) {
    std::vector<std::size_t> all(population.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
}

/// Points on the part of a sphere (a circle) with positive coordinates.
std::vector<Individual> on_sphere(std::size_t count, std::size_t objectives, std::uint64_t seed) {
    RandomStream random(seed, "sphere");
    std::vector<std::vector<double>> points(count);
    for (auto& point : points) {
        double sum = 0;
        for (std::size_t m = 0; m < objectives; ++m) {
            point.push_back(std::abs(random.normal()));
            sum += point[m] * point[m];
        }
        for (double& x : point) x /= std::sqrt(sum);
    }
    return population_of(points);
}

TEST(Thinning, JudgesNeighboursAnewAfterEachRemoval) {
    // Cut by crowding at once, both of the close pair would leave and a hole would stay.
    const auto population = population_of({{0, 10}, {4.9, 5}, {5, 4.9}, {7.5, 2.5}, {10, 0}});
    EXPECT_THAT(thin(population, everyone(population), 4), ElementsAre(0, 1, 3, 4));
    EXPECT_THAT(thin(population, everyone(population), 3), ElementsAre(0, 1, 4));
}

TEST(Thinning, OfThreeObjectivesKeepsTheBestInEachAndDropsDuplicates) {
    const auto population = population_of(
        {{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}, {4, 2, 2}});
    EXPECT_THAT(thin(population, everyone(population), 5), ElementsAre(0, 1, 2, 3, 6));
    EXPECT_THAT(thin(population, everyone(population), 3), ElementsAre(0, 1, 2));
}

TEST(Thinning, GivesTheWholeFrontOrNothingWhenAsked) {
    for (const std::size_t objectives : {1u, 2u, 3u}) {
        const auto population =
            population_of(std::vector<std::vector<double>>(6, std::vector<double>(objectives, 1)));
        EXPECT_EQ(thin(population, everyone(population), 6), everyone(population));
        EXPECT_EQ(thin(population, everyone(population), 9), everyone(population));
        EXPECT_THAT(thin(population, everyone(population), 2), Contains(std::size_t{0}))
            << "of equal members the oldest stays";
        EXPECT_THAT(thin(population, everyone(population), 0), ElementsAre());
    }
}

TEST(Thinning, DoesNotDependOnTheOrderOfTheFront) {
    for (const std::size_t objectives : {2u, 3u, 5u}) {
        auto population = on_sphere(60, objectives, 7);
        for (std::size_t i = 0; i < 20; ++i) population[i].objectives = population[40].objectives;
        const auto ids = [&] {
            std::vector<std::uint64_t> kept;
            for (const std::size_t i : thin(population, everyone(population), 25))
                kept.push_back(population[i].id);
            std::sort(kept.begin(), kept.end());
            return kept;
        };
        const auto expected = ids();
        RandomStream random(8, "order");
        for (int trial = 0; trial < 10; ++trial) {
            random.shuffle(population);
            ASSERT_EQ(ids(), expected);
        }
    }
}

TEST(Thinning, KeepsMoreHypervolumeThanACutByCrowding) {
    for (const std::size_t objectives : {2u, 3u, 4u, 5u})
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            const auto population = on_sphere(200, objectives, seed);
            const auto volume = [&](const std::vector<std::size_t>& chosen) {
                std::vector<std::vector<double>> points;
                for (const std::size_t i : chosen) points.push_back(population[i].objectives);
                return hypervolume(points, std::vector<double>(objectives, 1.1));
            };
            std::vector<std::size_t> cut = everyone(population);
            const auto crowding = crowding_distance(population, cut);
            std::sort(cut.begin(), cut.end(),
                      [&](std::size_t a, std::size_t b) { return crowding[a] > crowding[b]; });
            cut.resize(30);
            EXPECT_GT(volume(thin(population, everyone(population), 30)), volume(cut));
        }
}

}  // namespace
}  // namespace edgeloop::thinning_test
