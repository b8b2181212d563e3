#include "adaptation/convolution_passes.hpp"

#include "adaptation/pooled_pass.hpp"

#include <algorithm>
#include <cstring>

// The same source for every machine; where the compiler supports it, a second copy for AVX2 is
// chosen at run time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EDGELOOP_VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define EDGELOOP_VECTORISED
#endif

namespace edgeloop::adaptation {
namespace {

constexpr int block = 16;  // channels that are summed up at once

/// Neighbouring elements of a window that lie in the input.
struct Run {
    std::ptrdiff_t weight = 0, input = 0;  ///< first element, from those of the window and input
    int count = 0;
};

/// Calls visit(Run) for the parts of the window at a position that lie within the input.
/// @param channels  that lie side by side in both.
template <class Visit>
void for_runs(const Unit& unit, const Triple& at, int channels, const Visit& visit) {
    const Triple& grid = unit.input.grid;
    Triple first{};
    for (std::size_t d = 0; d < 3; ++d) first[d] = at[d] * unit.stride[d] - unit.before[d];
    const int low = std::max(0, -first[2]);
    const int high = std::min(unit.kernel[2], grid[2] - first[2]);
    if (low >= high) return;
    for (int dt = 0; dt < unit.kernel[0]; ++dt) {
        const int t = first[0] + dt;
        if (t < 0 || t >= grid[0]) continue;
        for (int dh = 0; dh < unit.kernel[1]; ++dh) {
            const int h = first[1] + dh;
            if (h < 0 || h >= grid[1]) continue;
            Run run;
            run.weight =
                ((std::ptrdiff_t{dt} * unit.kernel[1] + dh) * unit.kernel[2] + low) * channels;
            run.input = ((std::ptrdiff_t{t} * grid[1] + h) * grid[2] + first[2] + low) *
                        unit.input.channels;
            run.count = (high - low) * channels;
            visit(run);
        }
    }
}

/// sums[i] += x[k] * weights[k][i]
EDGELOOP_VECTORISED
void add_products(float* __restrict sums, const float* __restrict x,
                  const float* __restrict weights, int count) {
    float own[block];
    for (int i = 0; i < block; ++i) own[i] = sums[i];
    for (int k = 0; k < count; ++k)
        for (int i = 0; i < block; ++i) own[i] += x[k] * weights[k * block + i];
    for (int i = 0; i < block; ++i) sums[i] = own[i];
}

/// to[k] += factor * from[k]
EDGELOOP_VECTORISED
void add_scaled(float* __restrict to, const float* __restrict from, float factor,
                std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) to[k] += factor * from[k];
}

EDGELOOP_VECTORISED
float product(const float* __restrict a, const float* __restrict b, std::size_t count) {
    float sums[block] = {};
    std::size_t k = 0;
    for (; k + block <= count; k += block)
        for (std::size_t i = 0; i < block; ++i) sums[i] += a[k + i] * b[k + i];
    float sum = 0;
    for (const float part : sums) sum += part;
    for (; k < count; ++k) sum += a[k] * b[k];
    return sum;
}

int blocks_of(const Unit& unit) { return (unit.grown.channels + block - 1) / block; }

bool has_bias(const Unit& unit) { return unit.bias_count != 0; }

// Convolutions: scratch has the weights of a pass, then (blocks * block) numbers.

/// (blocks, fan_in, block): so that one pass over a window sums up a block of channels.
void lay_out_weights(const Unit& unit, const float* parameters, float* to, float* row) {
    const std::size_t fan_in = unit.fan_in();
    const auto channels = static_cast<std::size_t>(unit.grown.channels);
    std::fill_n(to, static_cast<std::size_t>(blocks_of(unit)) * fan_in * block, 0.0F);
    for (std::size_t c = 0; c < channels; ++c) {
        effective_weights(unit, parameters, c, c + 1, row);
        float* const own = to + c / block * fan_in * block + c % block;
        for (std::size_t k = 0; k < fan_in; ++k) own[k * block] = row[k];
    }
}

void convolve_dense(const Unit& unit, const UnitPass& pass) {
    const std::size_t fan_in = unit.fan_in();
    const int channels = unit.grown.channels, blocks = blocks_of(unit);
    const auto padded = static_cast<std::size_t>(blocks * block);
    float* const weights = pass.scratch;
    float* const biases = weights + padded * fan_in;
    float* const sums = biases + padded;
    float* const values = sums + padded;
    lay_out_weights(unit, pass.parameters, weights, values + padded);
    std::fill_n(biases, padded, 0.0F);
    std::copy_n(pass.parameters + unit.biases, unit.bias_count, biases);
    pooled(unit, pass, values, [&](const Triple& at, float* out) {
        std::copy_n(biases, padded, sums);
        for_runs(unit, at, unit.input.channels, [&](const Run& run) {
            for (int b = 0; b < blocks; ++b)
                add_products(sums + b * block, pass.input + run.input,
                             weights + (static_cast<std::size_t>(b) * fan_in +
                                        static_cast<std::size_t>(run.weight)) *
                                           block,
                             run.count);
        });
        std::copy_n(sums, channels, out);
    });
}

void multiply(const Unit& unit, const UnitPass& pass) {
    const std::size_t fan_in = unit.fan_in();
    const int channels = unit.grown.channels;
    std::memset(pass.choices, 0, static_cast<std::size_t>(channels));
    for (int c = 0; c < channels; ++c) {
        const auto channel = static_cast<std::size_t>(c);
        effective_weights(unit, pass.parameters, channel, channel + 1, pass.scratch);
        const float bias = has_bias(unit) ? pass.parameters[unit.biases + channel] : 0;
        pass.output[c] = bias + product(pass.scratch, pass.input, fan_in);
    }
    finish(unit, pass.output, pass.choices, channels);
}

void convolve_depthwise(const Unit& unit, const UnitPass& pass) {
    const std::size_t fan_in = unit.fan_in();
    const int channels = unit.grown.channels;
    float* const weights = pass.scratch;
    effective_weights(unit, pass.parameters, 0, static_cast<std::size_t>(channels), weights);
    float* const values = weights + unit.weight_count;
    pooled(unit, pass, values, [&](const Triple& at, float* out) {
        for (int c = 0; c < channels; ++c) {
            const auto channel = static_cast<std::size_t>(c);
            float sum = has_bias(unit) ? pass.parameters[unit.biases + channel] : 0;
            for_runs(unit, at, 1, [&](const Run& run) {
                const float* const weight = weights + channel * fan_in + run.weight;
                const float* const from = pass.input + run.input + c;
                for (int k = 0; k < run.count; ++k)
                    sum += weight[k] * from[std::ptrdiff_t{k} * unit.input.channels];
            });
            out[c] = sum;
        }
    });
}

}  // namespace

std::size_t convolution_scratch_floats(const Unit& unit) {
    const std::size_t fan_in = unit.fan_in();
    if (unit.operation == Operation::depthwise)
        return unit.weight_count + static_cast<std::size_t>(unit.grown.channels);
    const std::size_t rounded = unit.weight_rounding.bits != 0 ? unit.weight_count : 0;
    if (unit.is_linear()) return std::max(fan_in, rounded);
    const auto padded = static_cast<std::size_t>(blocks_of(unit) * block);
    return std::max(padded * (fan_in + 3) + fan_in, rounded);
}

void convolve(const Unit& unit, const UnitPass& pass) {
    if (unit.operation == Operation::depthwise) return convolve_depthwise(unit, pass);
    if (unit.is_linear()) return multiply(unit, pass);
    convolve_dense(unit, pass);
}

void convolve_back(const Unit& unit, const UnitPass& pass, float* gradients,
                   const float* output_gradient, float* input_gradient) {
    const std::size_t fan_in = unit.fan_in();
    const float* weights = pass.parameters + unit.weights;
    if (unit.weight_rounding.bits != 0) {
        effective_weights(unit, pass.parameters, 0, static_cast<std::size_t>(unit.grown.channels),
                          pass.scratch);
        weights = pass.scratch;
    }
    const bool is_depthwise = unit.operation == Operation::depthwise;
    for_gradients(unit, pass, output_gradient, [&](const Triple& at, int c, float gradient) {
        const auto channel = static_cast<std::size_t>(c);
        float* const own = gradients + unit.weights + channel * fan_in;
        const float* const weight = weights + channel * fan_in;
        if (has_bias(unit)) gradients[unit.biases + channel] += gradient;
        if (!is_depthwise) {
            for_runs(unit, at, unit.input.channels, [&](const Run& run) {
                const auto count = static_cast<std::size_t>(run.count);
                add_scaled(own + run.weight, pass.input + run.input, gradient, count);
                if (input_gradient != nullptr)
                    add_scaled(input_gradient + run.input, weight + run.weight, gradient, count);
            });
            return;
        }
        for_runs(unit, at, 1, [&](const Run& run) {
            const std::ptrdiff_t step = unit.input.channels;
            for (int k = 0; k < run.count; ++k) {
                const std::ptrdiff_t from = run.input + c + k * step;
                own[run.weight + k] += gradient * pass.input[from];
                if (input_gradient != nullptr)
                    input_gradient[from] += gradient * weight[run.weight + k];
            }
        });
    });
}

}  // namespace edgeloop::adaptation
