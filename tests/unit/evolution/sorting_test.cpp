#include "edgeloop/evolution/sorting.hpp"

#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::sorting_test {
namespace {

using testing::ElementsAre;

std::vector<Individual> population_of(const std::vector<std::vector<double>>& objectives) {
    std::vector<Individual> population;
    for (const auto& one : objectives) population.push_back({population.size() + 1, {}, one, 0});
    return population;
}

/// The definition: a front is what nobody outside earlier fronts dominates.
Fronts naive_fronts(const std::vector<Individual>& population) {
    Fronts fronts;
    std::vector<std::size_t> rest(population.size());
    std::iota(rest.begin(), rest.end(), std::size_t{0});
    while (!rest.empty()) {
        std::vector<std::size_t> front, behind;
        for (const std::size_t i : rest) {
            bool dominated = false;
            for (const std::size_t j : rest)
                dominated = dominated || dominates(population[j], population[i]);
            (dominated ? behind : front).push_back(i);
        }
        fronts.push_back(front);
        rest = behind;
    }
    return fronts;
}

TEST(Dominates, FeasibleThenLessViolationThenPareto) {
    const Individual good{1, {}, {1, 2}, 0}, worse{2, {}, {1, 3}, 0}, other{3, {}, {0, 9}, 0};
    const Individual broken{4, {}, {0, 0}, 0.5}, more_broken{5, {}, {0, 0}, 0.7};
    EXPECT_TRUE(dominates(good, worse));
    EXPECT_FALSE(dominates(worse, good));
    EXPECT_FALSE(dominates(good, other));
    EXPECT_FALSE(dominates(good, good));
    EXPECT_TRUE(dominates(worse, broken));
    EXPECT_FALSE(dominates(broken, worse));
    EXPECT_TRUE(dominates(broken, more_broken));
}

struct Shape {
    std::size_t members, objectives;
    std::uint64_t levels;  // distinct values of an objective: few make ties
};

class SortingByShape : public testing::TestWithParam<Shape> {};

TEST_P(SortingByShape, EqualsTheDefinition) {
    const Shape shape = GetParam();
    for (std::uint32_t trial = 0; trial < 10; ++trial) {
        RandomStream random(5, "sorting", trial, shape.members * 1000 + shape.objectives);
        std::vector<Individual> population;
        for (std::size_t i = 0; i < shape.members; ++i) {
            Individual one{i + 1, {}, {}, 0};
            for (std::size_t m = 0; m < shape.objectives; ++m)
                one.objectives.push_back(static_cast<double>(random.below(shape.levels)));
            if (trial % 2 == 1) one.violation = static_cast<double>(random.below(3)) / 2;
            if (trial == 4) one.objectives[0] = 7;
            if (trial == 6 && i % 5 == 0) one.objectives[shape.objectives - 1] = infinity;
            if (trial == 8 && i % 7 == 0) one.objectives[0] = -infinity;
            population.push_back(one);
        }
        ASSERT_EQ(non_dominated_sort(population), naive_fronts(population)) << "trial " << trial;
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SortingByShape,
                         testing::Values(Shape{0, 2, 9}, Shape{1, 2, 9}, Shape{60, 1, 20},
                                         Shape{200, 2, 10}, Shape{200, 2, 100000}, Shape{300, 3, 4},
                                         Shape{300, 3, 20}, Shape{300, 3, 1000000},
                                         Shape{250, 4, 3}, Shape{250, 4, 1000000}, Shape{200, 5, 6},
                                         Shape{150, 8, 10}, Shape{150, 4, 1}));

TEST(CrowdingDistance, SumsTheGapsAroundEachMember) {
    const auto population = population_of({{0, 10}, {1, 6}, {4, 4}, {10, 0}});
    EXPECT_THAT(crowding_distance(population, {0, 1, 2, 3}),
                ElementsAre(infinity, 0.4 + 0.6, 0.9 + 0.6, infinity));
}

TEST(CrowdingDistance, AConstantObjectiveAddsNothing) {
    const auto population = population_of({{0, 5}, {1, 5}, {4, 5}});
    EXPECT_THAT(crowding_distance(population, {0, 1, 2}), ElementsAre(infinity, 1, infinity));
    const auto equal = population_of({{3, 5}, {3, 5}, {3, 5}});
    EXPECT_THAT(crowding_distance(equal, {0, 1, 2}), ElementsAre(0, 0, 0));
}

TEST(CrowdingDistance, OfSmallFronts) {
    const auto population = population_of({{0, 1}, {1, 0}});
    EXPECT_THAT(crowding_distance(population, {}), ElementsAre());
    EXPECT_THAT(crowding_distance(population, {1}), ElementsAre(0));
    EXPECT_THAT(crowding_distance(population, {0, 1}), ElementsAre(infinity, infinity));
}

TEST(SelectSurvivors, TakesWholeFrontsThenTheLessCrowded) {
    const auto population = population_of({{9, 9}, {0, 10}, {1, 8.9}, {1.1, 8.8}, {5, 5}, {10, 0}});
    const auto survivors = select_survivors(population, 4);
    EXPECT_EQ(survivors.size(), 4u);
    EXPECT_THAT(survivors, testing::IsSupersetOf({std::size_t{1}, std::size_t{4}, std::size_t{5}}));
    EXPECT_THAT(survivors, testing::Not(testing::Contains(std::size_t{0})));
    EXPECT_EQ(select_survivors(population, 99).size(), population.size());
    EXPECT_TRUE(select_survivors(population, 0).empty());
}

TEST(SelectSurvivors, DoesNotDependOnTheOrderOfThePopulation) {
    RandomStream random(6, "order");
    std::vector<std::vector<double>> objectives;
    for (int i = 0; i < 80; ++i)
        objectives.push_back(
            {static_cast<double>(random.below(12)), static_cast<double>(random.below(12))});
    auto population = population_of(objectives);
    const auto ids = [&] {
        std::vector<std::uint64_t> list;
        for (const std::size_t i : select_survivors(population, 30))
            list.push_back(population[i].id);
        return list;
    };
    const auto expected = ids();
    for (int trial = 0; trial < 20; ++trial) {
        random.shuffle(population);
        ASSERT_EQ(ids(), expected);
    }
}

}  // namespace
}  // namespace edgeloop::sorting_test
