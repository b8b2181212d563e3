#include "edgeloop/adaptation/optimiser.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::adaptation::optimiser_test {
namespace {

TEST(ByteStates, AreNearAndRightOnAverage) {
    RandomStream random(1, "states");
    for (const bool has_sign : {true, false}) {
        constexpr std::size_t count = 200;
        ByteStates states(count, has_sign);
        std::vector<float> values;
        for (std::size_t i = 0; i < count; ++i)
            values.push_back(float(std::pow(10, random.uniform(-4, 0)) *
                                   (has_sign && random.chance(0.5) ? -1 : 1)));
        values[7] = 1;
        values[8] = 0;
        std::vector<double> means(count, 0);
        std::vector<float> read(count);
        constexpr int times = 4000;
        const double codes = has_sign ? 127 : 255;
        for (int i = 0; i < times; ++i) {
            states.write(0, values.data(), count, random);
            states.read(0, read.data(), count);
            for (std::size_t k = 0; k < count; ++k) {
                means[k] += double(read[k]) / times;
                // Neighbouring codes around x are at most 2 sqrt(x) / n + 1 / n^2 apart.
                const double gap =
                    2 * std::sqrt(std::fabs(double(values[k]))) / codes + 1 / (codes * codes);
                ASSERT_NEAR(double(read[k]), double(values[k]), 1.001 * gap);
            }
        }
        for (std::size_t k = 0; k < count; ++k) {
            const double gap =
                2 * std::sqrt(std::fabs(double(values[k]))) / codes + 1 / (codes * codes);
            // Numbers without a sign below the least code are that.
            const double slack =
                has_sign || double(values[k]) > 1 / (codes * codes) || values[k] == 0
                    ? 0
                    : 1 / (codes * codes);
            EXPECT_NEAR(means[k], double(values[k]), gap * 4 / std::sqrt(double(times)) + slack);
        }
        EXPECT_EQ(read[7], 1);
        EXPECT_EQ(read[8], 0);
        EXPECT_EQ(states.bytes(), count + 4);
    }
}

/// Steps to the middle of a bowl whose sides differ in steepness.
double distance_after(Method method, double rate, int steps) {
    constexpr std::size_t count = 600;
    std::vector<float> place(count, 1), gradients(count);
    OptimiserOptions options;
    options.method = method;
    Optimiser optimiser(count, options);
    for (int i = 0; i < steps; ++i) {
        for (std::size_t k = 0; k < count; ++k)
            gradients[k] = float(4 * (k % 10 + 1)) * (place[k] - 0.25F);
        optimiser.step(place, gradients, 0.25, rate * (1 - double(i) / steps));
    }
    double worst = 0;
    for (const float x : place) worst = std::max(worst, std::fabs(double(x) - 0.25));
    return worst;
}

TEST(Optimiser, BothMethodsFindTheMinimum) {
    EXPECT_LT(distance_after(Method::adam, 0.02, 600), 0.01);
    EXPECT_LT(distance_after(Method::sgd, 0.02, 600), 0.01);
}

TEST(Optimiser, FirstStepsAreThoseOfTheFormulas) {
    for (const Method method : {Method::adam, Method::sgd}) {
        OptimiserOptions options;
        options.method = method;
        Optimiser optimiser(1, options);
        std::vector<float> place{1};
        const std::vector<float> gradients{8};
        optimiser.step(place, gradients, 0.25, 0.1);
        EXPECT_FLOAT_EQ(place[0], method == Method::adam ? 0.9F : 0.8F);
        optimiser.step(place, gradients, 0.25, 0.1);
        EXPECT_NEAR(place[0], method == Method::adam ? 0.8F : 0.8F - 0.1F * 2 * 1.9F, 1e-5);
        EXPECT_EQ(optimiser.bytes(), method == Method::adam ? 10U : 5U);
    }
}

}  // namespace
}  // namespace edgeloop::adaptation::optimiser_test
