#include "edgeloop/evaluation/constraints.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::constraints_test {
namespace {

TEST(Constraints, ParsesMetricRelationAndBound) {
    const Constraint latency = parse_constraint("latency_ms<=0.8");
    EXPECT_EQ(latency.metric, "latency_ms");
    EXPECT_EQ(latency.relation, Relation::at_most);
    EXPECT_EQ(latency.bound, 0.8);
    const Constraint r2 = parse_constraint(" r2 >= -.5e1 ");
    EXPECT_EQ(r2.metric, "r2");
    EXPECT_EQ(r2.relation, Relation::at_least);
    EXPECT_EQ(r2.bound, -5);
    EXPECT_EQ(to_string(parse_constraint("parameters <= 2e6")), "parameters<=2000000");
    const Constraint of_class = parse_constraint("lut@rtl-zynq7020 <= 30000");
    EXPECT_EQ(of_class.metric, "lut@rtl-zynq7020");
    EXPECT_EQ(of_class.bound, 30000);
}

TEST(Constraints, RejectsEverythingElse) {
    for (const char* text : {"", "latency_ms", "latency_ms<", "latency_ms<0.8", "<=3", "a<=b",
                             "a<=1 b<=2", "a==1", "1<=a", "a<=nan", "a<=1e999", "a b<=1"})
        EXPECT_THROW((void)parse_constraint(text), ConfigError) << text;
}

TEST(Constraints, ViolationIsAFractionOfTheBound) {
    const Constraint latency = parse_constraint("latency_ms<=0.8");
    EXPECT_EQ(violation(latency, 0.8), 0);
    EXPECT_EQ(violation(latency, 0.1), 0);
    EXPECT_DOUBLE_EQ(violation(latency, 1.2), 0.5);
    EXPECT_DOUBLE_EQ(violation(parse_constraint("r2>=0.5"), 0.25), 0.5);
    EXPECT_DOUBLE_EQ(violation(parse_constraint("drift<=0"), 3), 3);
    EXPECT_DOUBLE_EQ(violation(parse_constraint("drift>=-2"), -3), 0.5);
    EXPECT_EQ(violation(latency, std::nan("")), INFINITY);
}

}  // namespace
}  // namespace edgeloop::constraints_test
