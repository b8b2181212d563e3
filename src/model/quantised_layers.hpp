#pragma once

#include "model/network.hpp"

#include "edgeloop/architecture/quantisation.hpp"

#include <string>
#include <vector>

#include <torch/types.h>

namespace edgeloop {

/// A quantised layer in integers, by the rules of edgeloop/inference/integer.hpp: it reads
/// x = input_step (q_x - input_zero) and gives scales[c] input_step sum q (q_x - input_zero) +
/// bias[c], before ReLU. What its result becomes is said by the layer that reads it.
struct QuantisedLayer {
    std::string name;  ///< of the module, e.g. "stages.0.conv"
    Bits bits;
    bool has_odd_weights = false;  ///< WeightGrid::odd, else WeightGrid::integers
    /// int16, (outputs, inputs / groups, t, h, w) of a convolution, (outputs, inputs) of a linear
    /// layer; undefined where a tensor is rounded and nothing else.
    torch::Tensor weights;
    torch::Tensor scales;  ///< (outputs) float64, above 0
    /// (outputs) float64, whole numbers of scales * input_step where inputs are integers; with an
    /// affine norm folded in, as are the others.
    torch::Tensor bias;
    double input_step = 0;   ///< 0: it reads float32
    int input_zero = 0;      ///< of a clip; else 0
    bool is_signed = false;  ///< the integers it reads have two signs (swin3d)
};

/// The quantised layers of a network, in the order of its modules. Layers of float32 are not among
/// them, and weights of float32 are undefined.
[[nodiscard]] std::vector<QuantisedLayer> quantised_layers(Network& network);

}  // namespace edgeloop
