#pragma once

#include "edgeloop/inference/graph.hpp"

#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

/// A network of integers as a QONNX model: an ONNX model, operator set 17, whose activations and
/// weights pass operators of the domain qonnx.custom_op.general that round them to integers of so
/// many bits: "Quant", and "BipolarQuant" of weights of 1 bit.
/// Source: Pappalardo et al., "QONNX: representing arbitrary-precision quantized neural networks",
/// 2022.
///
/// Activations are whole numbers (scale 1), as in edgeloop/inference/integer.hpp; the ratio of
/// scales is in the weights' scale of each channel. Odd weights of b bits are integers of b + 1.
/// A half between two activations rounds to even here, and up in the graph.
/// Input "clips" (batch, 1, frames, height, width), normalised; output "targets" (batch, n).
///
/// @param batch  0: free.
/// @throws ConfigError  the graph has layers of float32, or is too large for a file.
[[nodiscard]] std::string qonnx_of(
    const inference::Graph& graph, const std::string& name, int batch,
    const std::vector<std::pair<std::string, std::string>>& properties);

}  // namespace edgeloop
