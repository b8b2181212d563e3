#include "edgeloop/search/population.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <gtest/gtest.h>

namespace edgeloop::population_test {
namespace {

Individual with(std::uint64_t id, std::vector<double> objectives, int rung = 0) {
    Individual individual;
    individual.rung = rung;
    individual.id = id;
    individual.objectives = std::move(objectives);
    return individual;
}

std::vector<std::uint64_t> ids(const Population& population) {
    std::vector<std::uint64_t> ids;
    for (const Individual& individual : population.individuals()) ids.push_back(individual.id);
    std::sort(ids.begin(), ids.end());
    return ids;
}

TEST(Population, DroppingTheWorstIsTheSameAsKeepingTheBest) {
    RandomStream random(1, "population test");
    for (int round = 0; round < 200; ++round) {
        const auto size = 2 + random.below(20);
        const bool rungs = random.chance(0.5);
        Population one, other;
        for (std::uint64_t id = 1; id <= size; ++id) {
            const Individual individual = with(
                id, {static_cast<double>(random.below(6)), static_cast<double>(random.below(6))},
                rungs ? static_cast<int>(random.below(3)) : 0);
            one.add(individual);
            other.add(individual);
        }
        for (std::size_t left = size; left-- > 1;) {
            one.drop_worst();
            other.keep_best(left);
            ASSERT_EQ(ids(one), ids(other)) << round;
            Population afresh;
            for (const Individual& individual : one.individuals()) afresh.add(individual);
            ASSERT_EQ(one.ranking().crowding, afresh.ranking().crowding);
        }
    }
}

TEST(Population, RankingANewcomerIsTheSameAsRankingAfresh) {
    RandomStream random(2, "newcomer test");
    for (int round = 0; round < 100; ++round) {
        const std::size_t objectives = 2 + random.below(2);
        const std::uint64_t rungs = 1 + random.below(3);
        const std::uint64_t values = 2 + random.below(12);  // few: ties and duplicates
        Population population;
        for (std::uint64_t id = 1; id <= 40; ++id) {
            std::vector<double> point;
            for (std::size_t m = 0; m < objectives; ++m)
                point.push_back(static_cast<double>(random.below(values)));
            Individual individual = with(id, point, static_cast<int>(random.below(rungs)));
            if (random.chance(0.2)) individual.violation = static_cast<double>(random.below(3));
            population.add(individual);
            if (population.size() > 15) population.drop_worst();
            const Ranking afresh = rank(population.individuals());
            ASSERT_EQ(population.ranking().front, afresh.front);
            ASSERT_EQ(population.ranking().crowding, afresh.crowding);
        }
    }
}

TEST(Population, AHigherRungComesFirstHoweverBadItsObjectives) {
    Population population;
    population.add(with(1, {0, 0}));
    population.add(with(2, {9, 9}, 1));
    population.add(with(3, {8, 8}, 1));
    EXPECT_EQ(population.ranking().front, (std::vector<std::size_t>{2, 1, 0}));
    population.drop_worst();
    EXPECT_EQ(ids(population), (std::vector<std::uint64_t>{2, 3}));
    population.remove(3);
    population.remove(77);
    EXPECT_EQ(ids(population), (std::vector<std::uint64_t>{2}));
}

}  // namespace
}  // namespace edgeloop::population_test
