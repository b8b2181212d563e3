#include "edgeloop/evolution/variation.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

namespace edgeloop::variation_test {
namespace {

SearchSpace space_of_every_kind() {
    return SearchSpace::from_json(Json::parse(R"({
      "version": 1, "name": "kinds",
      "base": {"family": "cnn3d", "architecture": {"dropout": 0, "stages": [
        {"channels": 4, "kernel": [3, 3, 3]}]}},
      "variables": [
        {"name": "category", "path": [], "kind": "categorical", "choices": ["a", "b", "c", "d"]},
        {"name": "order", "path": [], "kind": "ordinal", "choices": [1, 2, 4, 8, 16, 32, 64]},
        {"name": "whole", "path": [], "kind": "integer", "lower": -5, "upper": 20},
        {"name": "architecture.dropout", "kind": "real", "lower": 0, "upper": 0.5},
        {"name": "training.learning_rate", "kind": "log_real", "lower": 1e-6, "upper": 1},
        {"name": "fixed", "path": [], "kind": "ordinal", "choices": [3]},
        {"name": "child", "path": [], "kind": "ordinal", "choices": [1, 2, 3, 4, 5, 6],
         "when": {"category": ["a", "b"]}}
      ]
    })"),
                                  "kinds");
}

bool is_legal(const SearchSpace& space, const Genome& genome) {
    Genome canonical = genome;
    space.canonicalise(canonical);
    return canonical == genome;
}

TEST(Variation, NeverLeavesTheSpace) {
    const SearchSpace space = space_of_every_kind();
    RandomStream random(1, "variation");
    VariationSettings settings;
    settings.mutation_probability = 0.5;
    for (int i = 0; i < 20000; ++i) {
        const auto [a, b] =
            vary(space, space.sample(random), space.sample(random), settings, random);
        ASSERT_TRUE(is_legal(space, a));
        ASSERT_TRUE(is_legal(space, b));
    }
}

TEST(Variation, IsAFunctionOfTheStream) {
    const SearchSpace space = space_of_every_kind();
    const auto children = [&](std::uint64_t seed) {
        RandomStream random(seed, "children");
        const Genome a = space.sample(random), b = space.sample(random);
        return vary(space, a, b, {}, random);
    };
    EXPECT_EQ(children(1), children(1));
    EXPECT_NE(children(1), children(2));
}

TEST(Crossover, EqualParentsHaveEqualChildren) {
    const SearchSpace space = space_of_every_kind();
    VariationSettings settings;
    settings.mutation_probability = 0;
    RandomStream random(2, "equal");
    for (int i = 0; i < 200; ++i) {
        const Genome parent = space.sample(random);
        const auto [a, b] = vary(space, parent, parent, settings, random);
        ASSERT_EQ(a, parent);
        ASSERT_EQ(b, parent);
    }
}

TEST(Crossover, SpreadsAroundTheParentsWithTheirMean) {
    const SearchSpace box = SearchSpace::box({0}, {1});
    VariationSettings settings;
    settings.mutation_probability = 0;
    settings.crossover_probability = 1;
    RandomStream random(3, "spread");
    double sum = 0;
    int beyond = 0, changed = 0;
    constexpr int trials = 20000;
    for (int i = 0; i < trials; ++i) {
        const auto [a, b] = vary(box, {{0.4}}, {{0.6}}, settings, random);
        sum += a.genes[0] + b.genes[0];
        if (a.genes[0] == 0.4) continue;
        ++changed;
        beyond += std::abs(a.genes[0] - 0.5) > 0.1 ? 1 : 0;
    }
    EXPECT_NEAR(sum / (2 * trials), 0.5, 1e-3);
    EXPECT_NEAR(changed, trials / 2, 300) << "every gene is crossed with probability 1/2";
    EXPECT_NEAR(beyond, changed / 2, 200) << "children fall outside as often as between";
}

TEST(Crossover, GenesOfOneParentReachBothChildren) {
    // Only one parent has "child"; whichever child inherits its category keeps that value.
    const SearchSpace space = space_of_every_kind();
    VariationSettings settings;
    settings.mutation_probability = 0;
    RandomStream random(4, "reach");
    Genome a = space.sample(random), b = a;
    a.genes[0] = 0;
    a.genes[6] = 4;
    b.genes[0] = 3;
    space.canonicalise(b);
    for (int i = 0; i < 100; ++i) {
        const auto [c, d] = vary(space, a, b, settings, random);
        for (const Genome& child : {c, d}) EXPECT_EQ(child.genes[6], child.genes[0] == 0 ? 4 : 0);
    }
}

TEST(Mutation, ChangesOneGeneOnAverage) {
    const SearchSpace box =
        SearchSpace::box(std::vector<double>(20, 0), std::vector<double>(20, 1));
    RandomStream random(5, "rate");
    int changed = 0;
    constexpr int trials = 5000;
    for (int i = 0; i < trials; ++i) {
        const Genome before = box.sample(random);
        Genome after = before;
        mutate(box, after, {}, random);
        for (std::size_t k = 0; k < 20; ++k) changed += after.genes[k] != before.genes[k] ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(changed) / trials, 1, 0.05);
}

TEST(Mutation, OfOrdinalGenesPrefersNeighbours) {
    const SearchSpace space = space_of_every_kind();
    RandomStream random(6, "neighbours");
    VariationSettings settings;
    settings.mutation_probability = 1;
    std::map<double, int> distances;
    for (int i = 0; i < 4000; ++i) {
        Genome genome = space.sample(random);
        genome.genes[1] = 3;
        mutate(space, genome, settings, random);
        ++distances[std::abs(genome.genes[1] - 3)];
    }
    EXPECT_EQ(distances.count(0), 0u) << "a mutation changes the gene";
    EXPECT_NEAR(distances[1], 2000, 150);
    EXPECT_NEAR(distances[2], 1000, 120);
    EXPECT_NEAR(distances[3], 1000, 120);
}

TEST(Mutation, OfCategoriesReachesEveryOtherChoiceAlike) {
    const SearchSpace space = space_of_every_kind();
    RandomStream random(7, "categories");
    VariationSettings settings;
    settings.mutation_probability = 1;
    std::map<double, int> chosen;
    for (int i = 0; i < 3000; ++i) {
        Genome genome = space.sample(random);
        genome.genes[0] = 2;
        space.canonicalise(genome);
        mutate(space, genome, settings, random);
        ++chosen[genome.genes[0]];
    }
    EXPECT_EQ(chosen.count(2), 0u);
    for (const double other : {0.0, 1.0, 3.0}) EXPECT_NEAR(chosen[other], 1000, 120);
}

TEST(Mutation, WokenGenesAreDrawnAfresh) {
    const SearchSpace space = space_of_every_kind();
    RandomStream random(8, "woken");
    VariationSettings settings;
    settings.mutation_probability = 1;
    std::map<double, int> woken;
    for (int i = 0; i < 6000; ++i) {
        Genome genome = space.sample(random);
        genome.genes[0] = 3;
        space.canonicalise(genome);
        mutate(space, genome, settings, random);
        if (genome.genes[0] < 2) ++woken[genome.genes[6]];
    }
    EXPECT_EQ(woken.size(), 6u);
    for (const auto& [value, count] : woken) EXPECT_NEAR(count, 667, 120) << value;
}

TEST(Mutation, OfLogRealGenesIsScaleFree) {
    const SearchSpace space = space_of_every_kind();
    RandomStream random(9, "log");
    VariationSettings settings;
    settings.mutation_probability = 1;
    const auto spread_around = [&](double value) {
        double sum = 0;
        for (int i = 0; i < 3000; ++i) {
            Genome genome = space.sample(random);
            genome.genes[4] = value;
            mutate(space, genome, settings, random);
            sum += std::abs(std::log(genome.genes[4] / value));
        }
        return sum / 3000;
    };
    EXPECT_NEAR(spread_around(1e-4) / spread_around(1e-2), 1, 0.1);
}

TEST(Tournament, PrefersFrontThenCrowdingThenTheOlder) {
    std::vector<Individual> population{{3, {}, {1, 1}, 0}, {1, {}, {0, 0}, 0}};
    const auto wins_of_second = [&](const Ranking& ranking) {
        RandomStream random(10, "tournament");
        int wins = 0;
        for (int i = 0; i < 4000; ++i) wins += tournament(population, ranking, random) == 1 ? 1 : 0;
        return wins;
    };
    EXPECT_EQ(wins_of_second({{1, 0}, {0, 0}}), 4000);
    EXPECT_EQ(wins_of_second({{0, 0}, {2, 1}}), 0);
    EXPECT_EQ(wins_of_second({{0, 0}, {1, 1}}), 4000);
    population.resize(1);
    EXPECT_EQ(wins_of_second({{0}, {0}}), 0) << "one member wins by itself";
}

TEST(MatingPool, LetsEveryoneTakePartEquallyOften) {
    std::vector<Individual> population;
    Ranking ranking;
    for (std::uint64_t id = 0; id < 10; ++id) {
        population.push_back({id, {}, {0, 0}, 0});
        ranking.front.push_back(id);
        ranking.crowding.push_back(0);
    }
    RandomStream random(11, "pool");
    for (int trial = 0; trial < 50; ++trial) {
        // Four rounds: the best wins each of them, the worst none.
        const auto pool = mating_pool(population, ranking, 20, random);
        ASSERT_EQ(pool.size(), 20u);
        EXPECT_EQ(std::count(pool.begin(), pool.end(), 0u), 4);
        EXPECT_EQ(std::count(pool.begin(), pool.end(), 9u), 0);
    }
    population.resize(1);
    EXPECT_EQ(mating_pool(population, ranking, 3, random), std::vector<std::size_t>(3, 0));
}

}  // namespace
}  // namespace edgeloop::variation_test
