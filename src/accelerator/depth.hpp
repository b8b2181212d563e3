#pragma once

#include "edgeloop/accelerator/circuit.hpp"

namespace edgeloop::accelerator {

/// Levels of registers of a balanced tree of sums of two.
[[nodiscard]] constexpr int tree_levels(std::int64_t terms) {
    int levels = 0;
    for (; terms > 1; terms = (terms + 1) / 2) ++levels;
    return levels;
}

/// Whether the weights of a layer are odd numbers 2 k + 1, of which the circuit stores k.
[[nodiscard]] inline bool has_odd_weights(const inference::Layer& layer) {
    return inference::weight_step(layer.integer.weight_bits, layer.integer.grid) == 2;
}

/// Registers of each part of the way from a fold to the buffer.
struct Depth {
    int slice = 1;     ///< the fold's inputs and weights
    int products = 0;  ///< multiplier blocks
    int tree = 0;      ///< sums over the fold's inputs
    int planes = 0;    ///< sums over the bits of the weights
    int accumulator = 1;
    int rounding = 0;

    [[nodiscard]] int sum() const {
        return slice + products + tree + planes + accumulator + rounding;
    }
};
/// Of a window or product.
[[nodiscard]] Depth product_depth(const Unit& unit, const inference::Layer& layer,
                                  const Hardware& hardware);
[[nodiscard]] int rounding_depth(const Requantisation& rule, const Hardware& hardware);
/// From the last fold, or a mean's last channel, to the buffer.
[[nodiscard]] int depth_of(const Unit& unit, const inference::Layer& layer,
                           const Hardware& hardware);
/// Bits of the largest multiplier.
[[nodiscard]] int multiplier_bits_of(const Requantisation& rule);

}  // namespace edgeloop::accelerator
