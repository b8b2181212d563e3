#pragma once

#include "edgeloop/inference/graph.hpp"
#include "edgeloop/inference/instructions.hpp"

#include <cstddef>
#include <cstdint>

namespace edgeloop::inference {

/// A row of results of a convolution: positions at equal distances, each the sum over a window. A
/// window is a list of runs, stretches of neighbouring elements in memory (the channels of a row of
/// taps), and a run is a list of groups, as many elements as one multiply-add takes. What a group
/// has beyond its run meets weights of 0.
struct RowArguments {
    const void* input = nullptr;         ///< the first position's window begins here
    std::ptrdiff_t input_step = 0;       ///< elements from one position to the next
    const std::int32_t* runs = nullptr;  ///< where they begin, in elements from a window's begin
    int run_count = 0, groups = 0;
    const void* weights = nullptr;      ///< of the first vector of channels
    std::ptrdiff_t vector_weights = 0;  ///< elements from one vector of channels to the next
    // Bit planes only: sum over planes of 2^(i + j) times the products of bits and digits.
    int input_planes = 1, weight_planes = 1;
    std::ptrdiff_t input_plane = 0, weight_plane = 0;  ///< elements from one to the next
    int room = 0;  ///< sums of 16 bits only: groups after which one may be full

    int positions = 0;
    int channels = 0;  ///< of results, from `output` on
    void* output = nullptr;
    std::ptrdiff_t output_step = 0;

    // Float: activation(sum + bias).
    const float* real_bias = nullptr;
    bool is_relu = false;
    // Integer: accumulator = factor sum + window_factor window_sums[position] + bias.
    const std::int32_t* bias = nullptr;
    int factor = 1, window_factor = 0;
    const std::int32_t* window_sums = nullptr;
    // Then requantise() to `output_bits` bits, with a residual or without ...
    int high = 0;  ///< the largest activation; 0: float results
    const std::int32_t* multipliers = nullptr;
    const std::int32_t* shifts = nullptr;
    /// The least accumulators whose result is `high` or more: larger ones give no more.
    const std::int32_t* caps = nullptr;
    const std::uint8_t* residual = nullptr;
    std::ptrdiff_t residual_step = 0;
    const std::int32_t* residual_multipliers = nullptr;
    // ... or output_value().
    const float* scales = nullptr;
};

/// What one instruction set computes with. Lists of channels (bias, scales, ...) are as long as
/// whole vectors; inputs and outputs may be read up to 64 bytes past their end, and are written
/// exactly.
struct Kernels {
    Instructions instructions;
    int lanes;  ///< channels of a vector, of float and of integer kernels
    /// Integer kernels: elements of a group, and whether inputs are widened to 16 bits before.
    int integer_group;
    bool is_wide;
    /// What a group of bit planes costs over one of integers, for the choice between them.
    double bits_cost;

    using Row = void (*)(const RowArguments&);
    Row real_row;     ///< float; weights [vector][run][group][lane]
    Row integer_row;  ///< bytes or 16-bit; weights [vector][run][group][lane][element]
    /// Bytes in groups of 4 whose products are first summed in 16 bits; null where integer_row is
    /// as fast.
    Row short_row;
    /// Bit planes; weights [vector][plane][run][group][2][lane] of 64 bits: where digits are not 0,
    /// and where they are -1. A sum is larger by the number of digits -1 times what inputs of all
    /// ones are: packing takes that off the bias.
    Row bits_row;
    Row real_depthwise, integer_depthwise;  ///< weights [vector][run][lane], one tap a run

    /// out = activation(x scale + shift), elements of a row each by itself.
    void (*affine)(float* out, const float* x, const float* scale, const float* shift, int count,
                   Activation activation);
    /// sums += x - origin, squares += (x - origin)^2.
    void (*moments)(const float* x, const float* origin, float* sums, float* squares, int count);
    void (*add)(float* out, const float* a, const float* b, int count, bool is_relu);
    void (*multiply)(float* out, const float* a, const float* b, int count);
    void (*real_max)(float* out, const float* x, int count);  ///< out = max(out, x)
    void (*byte_max)(std::uint8_t* out, const std::uint8_t* x, int count);
    /// Maximum of `window` neighbours out of `positions * window`; may write a vector past the end.
    void (*real_window)(float* out, const float* x, int positions, int window, int channels);
    void (*byte_window)(std::uint8_t* out, const std::uint8_t* x, int positions, int window,
                        int channels);
    void (*real_sum)(float* sums, const float* x, int count);  ///< sums += x
    void (*byte_sum)(std::int32_t* sums, const std::uint8_t* x, int count);
    void (*widen)(std::int16_t* out, const std::uint8_t* x, int count);
    /// Bits of bytes, eight a byte, the lowest first. REQUIRES: count is a multiple of 8.
    void (*plane)(std::uint8_t* out, const std::uint8_t* x, int count, int bit);
    /// nearest_activation(x * factor) of a range's upper bound, then + zero, bounded by it again.
    void (*quantise)(std::uint8_t* out, const float* x, float factor, int zero, int high,
                     int count);
    void (*dequantise)(float* out, const std::uint8_t* x, float scale, int zero, int count);
};

/// Of one instruction set. REQUIRES: has(instructions).
[[nodiscard]] const Kernels& kernels_of(Instructions instructions);

// One for each file of kernels; null where the build has none.
[[nodiscard]] const Kernels* portable_kernels();
[[nodiscard]] const Kernels* avx2_kernels();
[[nodiscard]] const Kernels* avx_vnni_kernels();
[[nodiscard]] const Kernels* avx512_kernels();
[[nodiscard]] const Kernels* avx512_vnni_kernels();
[[nodiscard]] const Kernels* avx512_popcnt_kernels();

}  // namespace edgeloop::inference
