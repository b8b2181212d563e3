#pragma once

// What the integers of a quantised network mean. Everything that computes with them (training's
// fake quantisation, the reference, kernels, files, generated hardware) takes its rules from here.
//
//   weight       w = scale[c] * q, one scale > 0 for each output channel c, no zero point
//   activation   x = scale * q, one scale > 0 for each tensor, 0 <= q <= 2^bits - 1, zero point 0
//   input clip   x = scale * (q - zero), grey values q of 8 bits, zero = input_zero_point(mean)
//   accumulator  a = bias + sum q_w q_x, int32
//   result       y = clamp((a * multiplier + 2^(shift - 1)) >> shift, 0, 2^bits - 1)
//   network's    y = a * scale[c], float
//
// Padding is q = 0, and q = zero at the input clip: both are x = 0, so a bias does not depend on
// the place. Max-pooling is the maximum of q. A norm's scale < 0 is folded as -scale with all q_w
// negated: each grid of weights is its own mirror image.

#include <cmath>
#include <cstdint>

namespace edgeloop::inference {

/// Where the values of a weight lie.
enum class WeightGrid : std::uint8_t {
    /// Zero and its neighbours: 1 - 2^(b-1) to 2^(b-1) - 1. 2^b - 1 values, for 1 bit -1 and 1.
    /// LSQ.
    integers,
    /// Odd numbers: 1 - 2^b to 2^b - 1 in steps of 2. 2^b values, none of them zero. VecQ, whose
    /// values alpha (k + 1/2) are scale (2k + 1) with scale = alpha / 2.
    odd,
};

constexpr int max_weight_bits = 8, max_activation_bits = 8, input_bits = 8;

[[nodiscard]] constexpr bool is_weight_bits(int bits) {
    return bits >= 1 && bits <= max_weight_bits;
}
[[nodiscard]] constexpr bool is_activation_bits(int bits) {
    return (bits >= 1 && bits <= 4) || bits == max_activation_bits;
}

/// Inclusive bounds of an integer.
struct IntegerRange {
    int low, high;
    [[nodiscard]] constexpr bool has(int q) const { return q >= low && q <= high; }
};

/// REQUIRES: is_weight_bits(bits).
[[nodiscard]] constexpr IntegerRange weight_range(int bits, WeightGrid grid) {
    const int high = grid == WeightGrid::odd || bits == 1 ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
    return {-high, high};
}

/// Distance of two neighbouring weights.
[[nodiscard]] constexpr int weight_step(int bits, WeightGrid grid) {
    return grid == WeightGrid::odd || bits == 1 ? 2 : 1;
}

[[nodiscard]] constexpr bool is_weight(int q, int bits, WeightGrid grid) {
    const IntegerRange range = weight_range(bits, grid);
    return range.has(q) && (q - range.low) % weight_step(bits, grid) == 0;
}

/// A weight as it is stored, in `bits` bits without a sign: its place in the grid from below.
/// REQUIRES: is_weight(q, bits, grid).
[[nodiscard]] constexpr unsigned code_of_weight(int q, int bits, WeightGrid grid) {
    return static_cast<unsigned>((q - weight_range(bits, grid).low) / weight_step(bits, grid));
}
/// A code too large for the grid gives an integer that is_weight() refuses.
[[nodiscard]] constexpr int weight_of_code(unsigned code, int bits, WeightGrid grid) {
    return weight_range(bits, grid).low + static_cast<int>(code) * weight_step(bits, grid);
}

/// The integer of the weight that is `ratio` scales, the nearest in the grid; of two as near the
/// one an even number of steps from the grid's middle, as std::nearbyint() has it. NaN: the lowest.
[[nodiscard]] inline int nearest_weight(double ratio, int bits, WeightGrid grid) {
    const IntegerRange range = weight_range(bits, grid);
    const int step = weight_step(bits, grid);
    const double middle = step == 2 ? 1 : 0;
    const double q = step * std::nearbyint((ratio - middle) / step) + middle;
    if (!(q > range.low)) return range.low;
    return q > range.high ? range.high : static_cast<int>(q);
}

/// REQUIRES: is_activation_bits(bits).
[[nodiscard]] constexpr IntegerRange activation_range(int bits) { return {0, (1 << bits) - 1}; }

/// The integer of the activation that is `ratio` scales: nearest, ties to even. NaN: 0.
[[nodiscard]] inline int nearest_activation(double ratio, int bits) {
    const double q = std::nearbyint(ratio);
    const int high = activation_range(bits).high;
    if (!(q > 0)) return 0;
    return q > high ? high : static_cast<int>(q);
}

/// Grey value that stands for 0 at the input: clips are normalised as (grey / 255 - mean) /
/// deviation, and an integer network takes mean = zero / 255. The scale is 1 / (255 deviation).
[[nodiscard]] inline int input_zero_point(double mean) {
    return nearest_activation(255 * mean, input_bits);
}
[[nodiscard]] inline double input_scale(double deviation) { return 1 / (255 * deviation); }

/// A positive ratio of scales as multiplier / 2^shift.
struct Dyadic {
    std::int32_t multiplier = 0;  ///< 0 to 2^31 - 1
    std::int32_t shift = 1;       ///< 1 to max_shift

    [[nodiscard]] double value() const { return std::ldexp(double(multiplier), -shift); }
    friend constexpr bool operator==(const Dyadic& a, const Dyadic& b) {
        return a.multiplier == b.multiplier && a.shift == b.shift;
    }
};

constexpr int max_shift = 62, multiplier_bits = 31;

[[nodiscard]] constexpr bool is_dyadic(const Dyadic& ratio) {
    return ratio.multiplier >= 0 && ratio.shift >= 1 && ratio.shift <= max_shift;
}

/// The nearest ratio with a multiplier below 2^bits: relative error at most 2^-bits, or, of ratios
/// below 2^(bits - 63), absolute error at most 2^-63. Fewer bits make multipliers in hardware
/// smaller.
/// @throws ConfigError  the ratio is negative, no number, or 2^(bits - 1) or more.
[[nodiscard]] Dyadic dyadic_of(double ratio, int bits = multiplier_bits);

/// sum / 2^shift, rounded to the nearest; halves towards plus infinity.
/// REQUIRES: |sum| < 2^63 - 2^61; right shifts of negative numbers are arithmetic, as in C++20.
[[nodiscard]] constexpr std::int64_t rounded_shift(std::int64_t sum, int shift) {
    static_assert((std::int64_t{-3} >> 1) == -2, "right shifts must be arithmetic");
    return (sum + (std::int64_t{1} << (shift - 1))) >> shift;
}

/// The activation of an accumulator; ReLU is its lower bound.
[[nodiscard]] constexpr std::uint8_t requantise(std::int32_t accumulator, const Dyadic& ratio,
                                                int bits) {
    const std::int64_t q = rounded_shift(std::int64_t{accumulator} * ratio.multiplier, ratio.shift);
    const int high = activation_range(bits).high;
    return static_cast<std::uint8_t>(q < 0 ? 0 : q > high ? high : q);
}

/// The activation of an accumulator and of a residual, an activation of another layer: both have
/// multipliers over one 2^shift.
[[nodiscard]] constexpr std::uint8_t requantise(std::int32_t accumulator, const Dyadic& ratio,
                                                std::uint8_t residual,
                                                std::int32_t residual_multiplier, int bits) {
    const std::int64_t q = rounded_shift(
        std::int64_t{accumulator} * ratio.multiplier + std::int64_t{residual} * residual_multiplier,
        ratio.shift);
    const int high = activation_range(bits).high;
    return static_cast<std::uint8_t>(q < 0 ? 0 : q > high ? high : q);
}

/// Two ratios over one 2^shift, the larger with `multiplier_bits` bits.
/// @throws ConfigError  as dyadic_of().
struct DyadicPair {
    Dyadic first;
    std::int32_t second_multiplier = 0;
};
[[nodiscard]] DyadicPair dyadics_of(double first, double second);

/// How far the result of requantise() may be from accumulator * ratio, where the latter lies in the
/// range of the result, with a ratio by dyadic_of() of 31 bits: half a step by rounding, and what
/// the multiplier's relative error of 2^-31 makes of 255 steps at most.
constexpr double requantisation_bound = 0.5 + 1.0 / (1 << 23);
/// The same for a multiplier of `bits` bits.
[[nodiscard]] inline double requantisation_bound_of(int bits) {
    return 0.5 + std::ldexp(255.5, -bits) + std::ldexp(1.0, -32);
}

/// The same with a residual, whose ratios share a shift: each multiplier is off by 1/2 at most.
[[nodiscard]] inline double residual_bound(std::int32_t accumulator, int shift) {
    return 0.5 + std::ldexp(std::fabs(double(accumulator)) + 255, -shift - 1);
}

/// A bias as an integer of accumulators. @throws ConfigError  |bias| >= 2^31 of them, or no number.
[[nodiscard]] std::int32_t integer_bias(double bias, double accumulator_scale);

/// The network's output for an accumulator of its last layer, the same on every machine.
[[nodiscard]] inline float output_value(std::int32_t accumulator, float scale) {
    return static_cast<float>(double(accumulator) * double(scale));
}

}  // namespace edgeloop::inference
