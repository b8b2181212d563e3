#include "edgeloop/surrogate/improvement.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::improvement_test {
namespace {

Point random_point(std::size_t objectives, RandomStream& random) {
    Point point;
    for (std::size_t i = 0; i < objectives; ++i) point.push_back(random.uniform());
    return point;
}

std::vector<Belief> known(const Point& point) {
    std::vector<Belief> beliefs;
    for (const double value : point) beliefs.push_back(Belief::known(value));
    return beliefs;
}

class Objectives : public testing::TestWithParam<std::size_t> {};

TEST_P(Objectives, OfKnownPointsIsTheGrowthOfTheHypervolume) {
    RandomStream random(1, "improvement", 0, GetParam());
    const Point reference(GetParam(), 0.9);  // some points lie beyond it
    int improving = 0;
    for (int trial = 0; trial < 100; ++trial) {
        Points front;
        const std::size_t members = trial % 11;
        for (std::size_t i = 0; i < members; ++i) front.push_back(random_point(GetParam(), random));
        if (members > 3) front.push_back(front[1]);  // an equal one
        const ImprovementRegion region(front, reference);
        const Point point = random_point(GetParam(), random);
        Points more = front;
        more.push_back(point);
        const double growth = hypervolume(more, reference) - hypervolume(front, reference);
        EXPECT_NEAR(region.expected(known(point)), growth, 1e-12);
        improving += growth > 0 ? 1 : 0;
    }
    EXPECT_GT(improving, 10);
}

INSTANTIATE_TEST_SUITE_P(Two, Objectives, testing::Values(2, 3, 4));

TEST(Improvement, OfBeliefsIsTheMeanOverTheirDraws) {
    const Points front = {{1, 3, 2}, {3, 1, 2}, {2, 2, 1}};
    const Point reference{4, 4, 4};
    const ImprovementRegion region(front, reference);
    const std::vector<Belief> beliefs = {Belief::log_normal(0.5, 0.2, 0.6), Belief::known(1.5),
                                         Belief::log_normal(0, 0.5, 0.4)};
    RandomStream random(1, "draws");
    const auto normal = [&] {
        return std::sqrt(-2 * std::log(1 - random.uniform())) *
               std::cos(2 * 3.14159265358979 * random.uniform());
    };
    double sum = 0;
    constexpr int draws = 20000;
    const double before = hypervolume(front, reference);
    for (int i = 0; i < draws; ++i) {
        Points more = front;
        more.push_back({0.5 + std::exp(0.2 + 0.6 * normal()), 1.5, std::exp(0.5 + 0.4 * normal())});
        sum += hypervolume(more, reference) - before;
    }
    EXPECT_NEAR(region.expected(beliefs), sum / draws, 0.03);
    EXPECT_GT(sum / draws, 0.5);
}

TEST(Improvement, LargeFrontsOfManyObjectivesAreThinned) {
    RandomStream random(1, "large");
    Points front;
    for (int i = 0; i < 500; ++i) {
        Point point = random_point(4, random);
        double sum = 0;
        for (const double value : point) sum += value;
        for (double& value : point) value /= sum;  // none dominates another
        front.push_back(std::move(point));
    }
    const ImprovementRegion region(front, Point(4, 1.0));
    EXPECT_LT(region.boxes(), 10000u);
    EXPECT_GT(region.expected(known(Point(4, 0.05))), 0.1);
}

}  // namespace
}  // namespace edgeloop::improvement_test
