#include "edgeloop/evaluation/goals.hpp"

#include "edgeloop/core/error.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace edgeloop::goals_test {
namespace {

Goals goals() { return {{"val_rmse", "latency_ms"}, {parse_constraint("latency_ms<=0.8")}, {}}; }

TEST(Goals, ValuesComeInTheOrderOfTheObjectives) {
    EXPECT_EQ(goals().values({{"latency_ms", 2}, {"val_rmse", 1}, {"other", 3}}),
              (std::vector<double>{1, 2}));
    EXPECT_THROW((void)goals().values({{"val_rmse", 1}}), LogicError);
}

TEST(Goals, AResultIsIncompleteWhenAnythingIsMissingOrNotFinite) {
    EXPECT_FALSE(goals().incomplete({{"val_rmse", 1}, {"latency_ms", 2}}));
    EXPECT_EQ(goals().incomplete({{"val_rmse", 1}}), "latency_ms was not measured");
    EXPECT_EQ(goals().incomplete(
                  {{"val_rmse", std::numeric_limits<double>::infinity()}, {"latency_ms", 2}}),
              "val_rmse is inf");
}

TEST(Goals, OnlyKnownMetricsCanBreakAConstraint) {
    EXPECT_EQ(goals().violation({}), 0);
    EXPECT_FALSE(goals().broken({}));
    EXPECT_FALSE(goals().broken({{"latency_ms", 0.8}}));
    EXPECT_DOUBLE_EQ(goals().violation({{"latency_ms", 1.2}}), 0.5);
    EXPECT_EQ(goals().broken({{"latency_ms", 1.2}}),
              "latency_ms is 1.2, which breaks latency_ms<=0.8");
}

TEST(Goals, TextNamesObjectivesAndConstraints) {
    EXPECT_EQ(goals().text(), "val_rmse,latency_ms;latency_ms<=0.8");
}

}  // namespace
}  // namespace edgeloop::goals_test
