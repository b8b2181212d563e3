#include "edgeloop/evolution/problems.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::problems_test {
namespace {

std::vector<double> objectives(const char* name, std::vector<double> genes) {
    return find_problem(name).evaluate({std::move(genes)}).objectives;
}

std::vector<double> with_tail(std::vector<double> head, std::size_t length, double tail) {
    head.resize(length, tail);
    return head;
}

TEST(Problems, ZdtFrontsAreWhereTheirAuthorsSay) {
    for (const double x : {0.0, 0.1, 0.5, 1.0}) {
        EXPECT_NEAR(objectives("zdt1", with_tail({x}, 30, 0))[1], 1 - std::sqrt(x), 1e-12);
        EXPECT_NEAR(objectives("zdt2", with_tail({x}, 30, 0))[1], 1 - x * x, 1e-12);
        EXPECT_NEAR(objectives("zdt3", with_tail({x}, 30, 0))[1],
                    1 - std::sqrt(x) - x * std::sin(10 * M_PI * x), 1e-12);
        EXPECT_NEAR(objectives("zdt4", with_tail({x}, 10, 0))[1], 1 - std::sqrt(x), 1e-12);
        const auto f = objectives("zdt6", with_tail({x}, 10, 0));
        EXPECT_NEAR(f[1], 1 - f[0] * f[0], 1e-12);
    }
    EXPECT_NEAR(objectives("zdt1", with_tail({0.25}, 30, 1))[1], 10 * (1 - std::sqrt(0.025)),
                1e-12);
}

TEST(Problems, DtlzFrontsAreWhereTheirAuthorsSay) {
    for (const double a : {0.0, 0.3, 1.0})
        for (const double b : {0.0, 0.7, 1.0}) {
            const auto plane = objectives("dtlz1", with_tail({a, b}, 7, 0.5));
            EXPECT_NEAR(plane[0] + plane[1] + plane[2], 0.5, 1e-12);
            for (const char* name : {"dtlz2", "dtlz3", "dtlz4"}) {
                const auto f = objectives(name, with_tail({a, b}, 12, 0.5));
                EXPECT_NEAR(f[0] * f[0] + f[1] * f[1] + f[2] * f[2], 1, 1e-12) << name;
            }
        }
    EXPECT_NEAR(objectives("dtlz7", with_tail({0, 0}, 22, 0))[2], 6, 1e-12);
    EXPECT_GT(objectives("dtlz3", with_tail({0, 0}, 12, 0.51))[0], 10);
}

TEST(Problems, ConstraintsHaveTheSignOfTheirAuthors) {
    const auto feasible = [](const char* name, std::vector<double> genes) {
        return total_violation(find_problem(name).evaluate({std::move(genes)})) == 0;
    };
    EXPECT_TRUE(feasible("bnh", {1, 1}));
    EXPECT_FALSE(feasible("bnh", {0, 3}));
    EXPECT_TRUE(feasible("srn", {-2.5, 2.5}));
    EXPECT_FALSE(feasible("srn", {20, 20}));
    EXPECT_TRUE(feasible("tnk", {1, 0.2}));
    EXPECT_FALSE(feasible("tnk", {0.1, 0.1}));
    EXPECT_FALSE(feasible("tnk", {3, 3}));
    EXPECT_TRUE(feasible("osy", {5, 1, 2, 0, 5, 0}));
    EXPECT_FALSE(feasible("osy", {0, 0, 1, 0, 1, 0}));
    EXPECT_EQ(objectives("osy", {5, 1, 2, 0, 5, 0}), (std::vector<double>{-259, 55}));
}

TEST(Problems, HaveTheStatedDimensionsAndReferencePoints) {
    EXPECT_EQ(find_problem("zdt1").space().variables().size(), 30u);
    EXPECT_EQ(find_problem("zdt4").space().variables()[3].lower, -5);
    EXPECT_EQ(find_problem("dtlz7").reference_point(), (std::vector<double>{1.1, 1.1, 6.1}));
    EXPECT_EQ(find_problem("dtlz1").objective_names(),
              (std::vector<std::string>{"f1", "f2", "f3"}));
}

TEST(Problems, AllGiveFiniteValuesEverywhere) {
    ASSERT_FALSE(known_problems().empty());
    for (const std::string& name : known_problems()) {
        const Problem problem = find_problem(name);
        RandomStream random(1, name);
        for (int i = 0; i < 200; ++i) {
            const Evaluation one = problem.evaluate(problem.space().sample(random));
            ASSERT_EQ(one.objectives.size(), problem.objective_count()) << name;
            for (const double f : one.objectives) ASSERT_TRUE(std::isfinite(f)) << name;
            ASSERT_TRUE(std::isfinite(total_violation(one))) << name;
        }
    }
}

TEST(Problems, AnUnknownNameListsTheKnown) {
    try {
        (void)find_problem("zdt5");
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_NE(std::string(error.what()).find("zdt1, zdt2"), std::string::npos);
    }
}

}  // namespace
}  // namespace edgeloop::problems_test
