#pragma once

#include "adaptation/unit_passes.hpp"

#include "edgeloop/inference/integer.hpp"

#include <cstring>
#include <limits>

namespace edgeloop::adaptation {

template <class Visit>
void for_positions(const Triple& grid, const Visit& visit) {
    std::size_t index = 0;
    for (int t = 0; t < grid[0]; ++t)
        for (int h = 0; h < grid[1]; ++h)
            for (int w = 0; w < grid[2]; ++w) visit(index++, Triple{t, h, w});
}

/// The position before the pool that element `choice` of the window at `at` is.
inline Triple chosen(const Unit& unit, const Triple& at, int choice) {
    const Triple& pool = unit.pool;
    return {at[0] * pool[0] + choice / (pool[1] * pool[2]),
            at[1] * pool[1] + choice / pool[2] % pool[1], at[2] * pool[2] + choice % pool[2]};
}

/// ReLU and rounding of what a pool has chosen.
inline void finish(const Unit& unit, float* values, Choice* choices, int count) {
    const int bits = unit.result_rounding.bits;
    const float step = unit.result_rounding.step;
    const float top = bits == 0 ? std::numeric_limits<float>::infinity()
                                : step * static_cast<float>(inference::activation_range(bits).high);
    for (int c = 0; c < count; ++c) {
        if (unit.is_relu && !(values[c] > 0)) {
            values[c] = 0;
            choices[c] = dead;
        } else if (values[c] > top) {
            values[c] = top;
            choices[c] = dead;
        } else if (bits != 0) {
            values[c] = step * static_cast<float>(
                                   inference::nearest_activation(double(values[c] / step), bits));
        }
    }
}

/// Results of all channels, given those of each position before the pool.
/// @param at_position  (position, float* values): sets (channels) numbers.
/// @param values  (channels) of scratch.
template <class AtPosition>
void pooled(const Unit& unit, const UnitPass& pass, float* values, const AtPosition& at_position) {
    const int channels = unit.output.channels, volume = unit.pool_volume();
    for_positions(unit.output.grid, [&](std::size_t index, const Triple& at) {
        float* const out = pass.output + index * static_cast<std::size_t>(channels);
        Choice* const choices = pass.choices + index * static_cast<std::size_t>(channels);
        std::memset(choices, 0, static_cast<std::size_t>(channels));
        at_position(chosen(unit, at, 0), out);
        for (int element = 1; element < volume; ++element) {
            at_position(chosen(unit, at, element), values);
            for (int c = 0; c < channels; ++c)
                if (values[c] > out[c]) {
                    out[c] = values[c];
                    choices[c] = static_cast<Choice>(element);
                }
        }
        finish(unit, out, choices, channels);
    });
}

/// Calls visit(position before the pool, channel, gradient) wherever a gradient passes.
template <class Visit>
void for_gradients(const Unit& unit, const UnitPass& pass, const float* output_gradient,
                   const Visit& visit) {
    const int channels = unit.output.channels;
    for_positions(unit.output.grid, [&](std::size_t index, const Triple& at) {
        const std::size_t first = index * static_cast<std::size_t>(channels);
        for (int c = 0; c < channels; ++c) {
            const std::size_t place = first + static_cast<std::size_t>(c);
            if (pass.choices[place] == dead || output_gradient[place] == 0) continue;
            visit(chosen(unit, at, pass.choices[place]), c, output_gradient[place]);
        }
    });
}

inline std::size_t position_of(const Shape& shape, const Triple& at) {
    return static_cast<std::size_t>(
        ((std::int64_t{at[0]} * shape.grid[1] + at[1]) * shape.grid[2] + at[2]) * shape.channels);
}

}  // namespace edgeloop::adaptation
