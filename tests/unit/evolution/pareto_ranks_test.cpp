#include "edgeloop/evolution/pareto_ranks.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::pareto_ranks_test {
namespace {

using testing::ElementsAre;

bool dominates(const std::vector<double>& a, const std::vector<double>& b) {
    bool better = false;
    for (std::size_t m = 0; m < a.size(); ++m) {
        if (a[m] > b[m]) return false;
        better = better || a[m] < b[m];
    }
    return better;
}

/// The definition, recursively: one behind the last front that holds somebody who dominates.
std::vector<std::size_t> naive_ranks(const Points& points) {
    std::vector<std::size_t> ranks(points.size(), 0);
    for (bool changed = true; changed;) {
        changed = false;
        for (std::size_t i = 0; i < points.size(); ++i)
            for (std::size_t j = 0; j < points.size(); ++j)
                if (dominates(points[j], points[i]) && ranks[i] <= ranks[j]) {
                    ranks[i] = ranks[j] + 1;
                    changed = true;
                }
    }
    return ranks;
}

TEST(ParetoRanks, OfAWorkedExample) {
    EXPECT_THAT(pareto_ranks({{1, 4}, {2, 2}, {3, 3}, {4, 1}, {4, 4}, {2, 2}}),
                ElementsAre(0, 0, 1, 0, 2, 0));
}

TEST(ParetoRanks, OfDegenerateInput) {
    EXPECT_THAT(pareto_ranks({}), ElementsAre());
    EXPECT_THAT(pareto_ranks({{3, 4, 5}}), ElementsAre(0));
    EXPECT_THAT(pareto_ranks({{3}, {1}, {3}, {2}}), ElementsAre(2, 0, 2, 1));
    EXPECT_THAT(pareto_ranks(Points(50, {1, 1, 1})), testing::Each(0));
    EXPECT_THROW((void)pareto_ranks({{1, 2}, {1}}), LogicError);
    EXPECT_THROW((void)pareto_ranks({{}}), LogicError);
}

TEST(ParetoRanks, AChainHasAsManyFrontsAsPoints) {
    Points chain;
    for (int i = 0; i < 2000; ++i) chain.push_back({1.0 * i, 1.0 * i, 5, 1.0 * i});
    const auto ranks = pareto_ranks(chain);
    for (std::size_t i = 0; i < ranks.size(); ++i) ASSERT_EQ(ranks[i], i);
}

TEST(ParetoRanks, EqualTheDefinitionOnRandomPoints) {
    // Few levels make ties and duplicates, many make none; some objectives are constant or
    // infinite.
    RandomStream random(11, "ranks");
    for (int trial = 0; trial < 600; ++trial) {
        const std::size_t objectives = 1 + random.below(6);
        const std::size_t count = random.below(120);
        Points points(count, std::vector<double>(objectives));
        for (std::size_t m = 0; m < objectives; ++m) {
            const std::uint64_t levels = std::uint64_t{1} << random.below(11);
            for (auto& point : points) {
                point[m] = static_cast<double>(random.below(levels));
                if (random.chance(0.02)) point[m] = random.chance(0.5) ? infinity : -infinity;
            }
        }
        ASSERT_EQ(pareto_ranks(points), naive_ranks(points)) << "trial " << trial;
    }
}

TEST(ParetoRanks, DoNotDependOnTheOrderOfPoints) {
    RandomStream random(12, "order");
    Points points(3000, std::vector<double>(3));
    for (auto& point : points)
        for (double& x : point) x = static_cast<double>(random.below(500));
    const auto sorted_pairs = [&] {
        const auto ranks = pareto_ranks(points);
        std::vector<std::pair<std::vector<double>, std::size_t>> pairs;
        for (std::size_t i = 0; i < points.size(); ++i) pairs.emplace_back(points[i], ranks[i]);
        std::sort(pairs.begin(), pairs.end());
        return pairs;
    };
    const auto expected = sorted_pairs();
    random.shuffle(points);
    EXPECT_EQ(sorted_pairs(), expected);
}

}  // namespace
}  // namespace edgeloop::pareto_ranks_test
