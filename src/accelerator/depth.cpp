#include "accelerator/depth.hpp"

#include <algorithm>

namespace edgeloop::accelerator {

int multiplier_bits_of(const Requantisation& rule) {
    int bits = 1;
    for (const std::int64_t multiplier : rule.multipliers)
        while (multiplier >> bits != 0) ++bits;
    return bits;
}

int rounding_depth(const Requantisation& rule, const Hardware& hardware) {
    switch (rule.rounding) {
        case Rounding::none:
            return 0;
        case Rounding::thresholds:
            return 2;  // comparisons, count
        case Rounding::multiplier:
            break;
    }
    constexpr int clamp = 1, end = 1, block = 2;
    if (hardware.multipliers == "dsp") return clamp + block + end;
    return clamp + std::max(1, tree_levels(multiplier_bits_of(rule))) + end;
}

Depth product_depth(const Unit& unit, const inference::Layer& layer, const Hardware& hardware) {
    Depth depth;
    if (hardware.multipliers == "dsp") {
        depth.products = 1;
        depth.tree = tree_levels(unit.folding.inputs);
    } else {
        depth.tree = std::max(1, tree_levels(unit.folding.inputs));
        depth.planes = tree_levels(layer.integer.weight_bits + (has_odd_weights(layer) ? 1 : 0));
    }
    depth.rounding = rounding_depth(unit.requantisation, hardware);
    return depth;
}

int depth_of(const Unit& unit, const inference::Layer& layer, const Hardware& hardware) {
    if (unit.kind == UnitKind::mean) return rounding_depth(unit.requantisation, hardware);
    return product_depth(unit, layer, hardware).sum();
}

}  // namespace edgeloop::accelerator
