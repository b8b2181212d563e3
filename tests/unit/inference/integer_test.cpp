#include "edgeloop/inference/integer.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::inference::integer_test {
namespace {

constexpr WeightGrid grids[] = {WeightGrid::integers, WeightGrid::odd};

TEST(Integer, GridsHaveTheirValues) {
    EXPECT_EQ(weight_range(1, WeightGrid::integers).high, 1);
    EXPECT_EQ(weight_range(2, WeightGrid::integers).high, 1);
    EXPECT_EQ(weight_range(8, WeightGrid::integers).high, 127);
    EXPECT_EQ(weight_range(1, WeightGrid::odd).high, 1);
    EXPECT_EQ(weight_range(2, WeightGrid::odd).high, 3);
    EXPECT_EQ(weight_range(8, WeightGrid::odd).high, 255);
    for (const WeightGrid grid : grids)
        for (int bits = 1; bits <= max_weight_bits; ++bits) {
            const IntegerRange range = weight_range(bits, grid);
            EXPECT_EQ(range.low, -range.high);
            int count = 0;
            for (int q = range.low - 2; q <= range.high + 2; ++q)
                if (is_weight(q, bits, grid)) {
                    ++count;
                    EXPECT_TRUE(is_weight(-q, bits, grid));
                    EXPECT_LT(code_of_weight(q, bits, grid), 1U << static_cast<unsigned>(bits));
                    EXPECT_EQ(weight_of_code(code_of_weight(q, bits, grid), bits, grid), q);
                    EXPECT_EQ(nearest_weight(q, bits, grid), q);
                }
            const bool has_zero = grid == WeightGrid::integers && bits > 1;
            EXPECT_EQ(count, (1 << bits) - (has_zero ? 1 : 0));
            EXPECT_EQ(is_weight(0, bits, grid), has_zero);
        }
}

TEST(Integer, TheNearestWeightIsTheNearest) {
    RandomStream random(1, "weights");
    for (const WeightGrid grid : grids)
        for (int bits = 1; bits <= max_weight_bits; ++bits)
            for (int i = 0; i < 300; ++i) {
                const IntegerRange range = weight_range(bits, grid);
                const double ratio = random.uniform(1.2 * range.low, 1.2 * range.high);
                const int q = nearest_weight(ratio, bits, grid);
                ASSERT_TRUE(is_weight(q, bits, grid));
                for (int other = range.low; other <= range.high; ++other)
                    if (is_weight(other, bits, grid)) {
                        ASSERT_LE(std::fabs(q - ratio), std::fabs(other - ratio));
                    }
            }
    EXPECT_EQ(nearest_weight(std::nan(""), 4, WeightGrid::odd), -15);
    EXPECT_EQ(nearest_weight(1e300, 4, WeightGrid::odd), 15);
    EXPECT_EQ(nearest_weight(2.5, 4, WeightGrid::integers), 2);
}

TEST(Integer, VecQsValuesAreOddNumbersOfHalfSteps) {
    for (int k = -4; k < 4; ++k)
        EXPECT_EQ(nearest_weight(2 * (k + 0.5), 3, WeightGrid::odd), 2 * k + 1);
}

TEST(Integer, ActivationsAreBounded) {
    EXPECT_FALSE(is_activation_bits(0));
    EXPECT_FALSE(is_activation_bits(5));
    EXPECT_EQ(nearest_activation(-3, 4), 0);
    EXPECT_EQ(nearest_activation(0.5, 4), 0);
    EXPECT_EQ(nearest_activation(1.5, 4), 2);
    EXPECT_EQ(nearest_activation(99, 4), 15);
    EXPECT_EQ(nearest_activation(std::nan(""), 8), 0);
    EXPECT_EQ(input_zero_point(0.45), 115);
}

TEST(Integer, RatiosAreAsCloseAsTheirBits) {
    RandomStream random(2, "ratios");
    for (int bits : {8, 16, 24, 31})
        for (int i = 0; i < 2000; ++i) {
            const double ratio = std::exp2(random.uniform(bits - 63.0, bits - 1.5));
            const Dyadic dyadic = dyadic_of(ratio, bits);
            ASSERT_TRUE(is_dyadic(dyadic));
            ASSERT_LT(dyadic.multiplier, std::exp2(bits));
            ASSERT_LE(std::fabs(dyadic.value() - ratio), ratio * std::exp2(-bits));
        }
    EXPECT_EQ(dyadic_of(0.5), (Dyadic{1 << 30, 31}));
    EXPECT_EQ(dyadic_of(std::nextafter(1.0, 0.0)), (Dyadic{1 << 30, 30}));
    EXPECT_EQ(dyadic_of(0), Dyadic{});
    EXPECT_LE(std::fabs(dyadic_of(1e-15).value() - 1e-15), std::exp2(-63));
    EXPECT_EQ(dyadic_of(1e-300).multiplier, 0);
    for (const double bad : {-1.0, 3e9, std::nan(""), HUGE_VAL})
        EXPECT_THROW((void)dyadic_of(bad), ConfigError) << bad;
}

TEST(Integer, HalvesAreRoundedUp) {
    constexpr Dyadic half{1, 1};
    static_assert(requantise(3, half, 8) == 2);
    static_assert(requantise(-1, half, 8) == 0);
    static_assert(rounded_shift(-3, 1) == -1);
    static_assert(rounded_shift(-5, 2) == -1);
    static_assert(requantise(1000, half, 8) == 255);
    static_assert(requantise(1000, half, 1) == 1);
}

TEST(Integer, RequantisationKeepsItsBound) {
    RandomStream random(3, "accumulators");
    for (const int bits : {12, 16, 31}) {
        double worst = 0;
        for (int i = 0; i < 50000; ++i) {
            const double ratio = std::exp2(random.uniform(-31, 6));
            const double largest = std::fmin(255.0 / ratio, 2147483647.0);
            const auto accumulator = static_cast<std::int32_t>(random.uniform(0, largest));
            const double exact = accumulator * ratio;
            const double error =
                std::fabs(requantise(accumulator, dyadic_of(ratio, bits), 8) - exact);
            ASSERT_LE(error, requantisation_bound_of(bits)) << accumulator << ' ' << ratio;
            worst = std::fmax(worst, error);
        }
        EXPECT_GT(worst, 0.499);  // the bound is not far above what happens
    }
    EXPECT_LE(requantisation_bound_of(31), requantisation_bound + 1e-9);
}

TEST(Integer, TheLargestAccumulatorsDoNotOverflow) {
    constexpr Dyadic large{2147483647, 62};
    static_assert(requantise(2147483647, large, 8) == 1);
    static_assert(requantise(-2147483647 - 1, large, 8) == 0);
    static_assert(requantise(2147483647, large, 255, 2147483647, 8) == 1);
}

TEST(Integer, ResidualsShareTheShift) {
    RandomStream random(4, "residuals");
    for (int i = 0; i < 5000; ++i) {
        const double ratio = std::exp2(random.uniform(-14, 0)), other = random.uniform(0, 1.2);
        const DyadicPair pair = dyadics_of(ratio, other);
        const auto accumulator =
            static_cast<std::int32_t>(random.uniform(-100 / ratio, 100 / ratio));
        const auto residual = static_cast<std::uint8_t>(random.below(256));
        const double exact = accumulator * ratio + residual * other;
        if (exact < 0 || exact > 255) continue;
        const int q = requantise(accumulator, pair.first, residual, pair.second_multiplier, 8);
        ASSERT_NEAR(q, exact, residual_bound(accumulator, pair.first.shift) + 1e-9);
    }
}

TEST(Integer, ABiasThatIsTooLargeIsRefused) {
    EXPECT_EQ(integer_bias(-1.0, 0.25), -4);
    EXPECT_THROW((void)integer_bias(1.0, 1e-12), ConfigError);
    EXPECT_THROW((void)integer_bias(1.0, 0), ConfigError);
}

}  // namespace
}  // namespace edgeloop::inference::integer_test
