#include "edgeloop/evolution/hypervolume.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::hypervolume_test {
namespace {

/// The definition for points on the integer grid: the number of unit cells below the reference that
/// some point dominates.
double dominated_cells(const Points& points, const std::vector<double>& reference) {
    std::vector<double> cell(reference.size(), 0);
    double count = 0;
    for (bool more = true; more;) {
        count += std::any_of(points.begin(), points.end(), [&](const auto& point) {
            for (std::size_t m = 0; m < cell.size(); ++m)
                if (point[m] > cell[m]) return false;
            return true;
        });
        std::size_t m = 0;
        while (m < cell.size() && ++cell[m] == reference[m]) cell[m++] = 0;
        more = m < cell.size();
    }
    return count;
}

class HypervolumeByObjectives : public testing::TestWithParam<std::size_t> {};

TEST_P(HypervolumeByObjectives, EqualsTheDefinitionWithTiesAndDuplicates) {
    const std::size_t objectives = GetParam();
    const std::uint64_t side = objectives < 4 ? 12 : 6;
    RandomStream random(3, "hypervolume", static_cast<std::uint32_t>(objectives));
    for (int trial = 0; trial < 60; ++trial) {
        Points points(random.below(25));
        for (auto& point : points)
            for (std::size_t m = 0; m < objectives; ++m)
                point.push_back(static_cast<double>(random.below(side + 2)));
        if (points.size() > 3) points.push_back(points[1]);
        const std::vector<double> reference(objectives, static_cast<double>(side));
        ASSERT_NEAR(hypervolume(points, reference), dominated_cells(points, reference), 1e-9);
    }
}

TEST_P(HypervolumeByObjectives, OfASimplexApproachesItsVolume) {
    // Points with coordinates that add up to 1 leave a simplex of volume 1/M! undominated.
    const std::size_t objectives = GetParam();
    RandomStream random(4, "simplex", static_cast<std::uint32_t>(objectives));
    Points points(120);
    for (auto& point : points) {
        double sum = 0;
        for (std::size_t m = 0; m < objectives; ++m)
            sum += point.emplace_back(-std::log(1 - random.uniform()));
        for (double& x : point) x /= sum;
    }
    const double all = hypervolume(points, std::vector<double>(objectives, 1.0));
    EXPECT_LT(all, 1 - 1 / std::tgamma(objectives + 1));
    const auto last = points.back();
    points.pop_back();
    const double without = hypervolume(points, std::vector<double>(objectives, 1.0));
    EXPECT_GT(all, without) << "every point of a simplex counts";
    double box = 1;
    for (const double x : last) box *= 1 - x;
    EXPECT_LE(all - without, box);
}

INSTANTIATE_TEST_SUITE_P(Objectives, HypervolumeByObjectives, testing::Values(2, 3, 4, 5));

TEST(Hypervolume, OfKnownFronts) {
    EXPECT_DOUBLE_EQ(hypervolume({{1, 3}, {2, 2}, {3, 1}}, {4, 4}), 6);
    EXPECT_DOUBLE_EQ(hypervolume({{0, 0, 0}}, {2, 3, 4}), 24);
    EXPECT_DOUBLE_EQ(hypervolume({{0, 1, 1, 1}, {1, 0, 1, 1}}, {2, 2, 2, 2}), 3);
    EXPECT_EQ(hypervolume({}, {1, 1}), 0);
}

TEST(Hypervolume, PointsOnOrBeyondTheReferenceAddNothing) {
    EXPECT_EQ(hypervolume({{1, 0}, {0, 1}, {2, -5}}, {1, 1}), 0);
    EXPECT_EQ(hypervolume({{INFINITY, 0, 0}}, {1, 1, 1}), 0);
}

TEST(Hypervolume, RefusesMismatchedLengths) {
    EXPECT_THROW((void)hypervolume({{1, 2, 3}}, {4, 4}), ConfigError);
    EXPECT_THROW((void)hypervolume({{1}}, {4}), ConfigError);
}

}  // namespace
}  // namespace edgeloop::hypervolume_test
