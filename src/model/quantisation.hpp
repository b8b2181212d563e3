#pragma once

#include "model/graph_walk.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/types.h>

namespace edgeloop {

// Static quantisation to 8 bits: activations as uint8 with one scale and zero point a tensor,
// weights as int8 with one scale an output channel and no zero point. What is quantised is named
// by the nodes of a traced graph; the file and the simulation follow the same table.

/// Real x is scale * (q - zero), q rounded to even and clipped to 0..255.
struct ActivationScale {
    float scale = 1;
    std::uint8_t zero = 0;
};

/// Smallest and largest values seen; with 0, which padding needs, and so never empty.
struct ValueRange {
    float low = 0, high = 0;

    void include(const torch::Tensor& values);
    [[nodiscard]] ActivationScale scale() const;
};

struct QuantisedWeight {
    torch::Tensor integers;  ///< int8, -127..127, of the weight's shape
    torch::Tensor scales;    ///< float32, one for each output channel, the first dimension
};
[[nodiscard]] QuantisedWeight quantised(const torch::Tensor& weight);

/// A node whose product is computed with integers.
struct QuantisedNode {
    ValueRange input, output;
};
using QuantisedNodes = std::map<const torch::jit::Node*, QuantisedNode>;

/// Finds the nodes to quantise and the ranges of their values. Convolutions and linear layers of
/// tokens are; left in float32 are the first convolution, whose single channel gives integers
/// nothing to gain, those of each channel by itself and the small layers of the head.
///
/// @param batches  calls what it is given once for each batch of calibration clips.
[[nodiscard]] QuantisedNodes calibrate(
    const torch::jit::Graph& graph,
    const std::function<void(const std::function<void(const torch::Tensor&)>&)>& batches);

/// What the graph gives when the nodes are quantised, computed in float32 with rounded values.
[[nodiscard]] torch::Tensor run_quantised(const torch::jit::Graph& graph,
                                          const QuantisedNodes& nodes, const torch::Tensor& input);

/// What the graph gives when every result is rounded to float16, computed in float32.
[[nodiscard]] torch::Tensor run_in_half(const torch::jit::Graph& graph, const torch::Tensor& input);

}  // namespace edgeloop
