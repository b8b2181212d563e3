#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/float_array.hpp"
#include "edgeloop/inference/graph.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop::inference {

/// A quantised layer of a trained network: it reads x = input_step (q_x - zero) and gives
/// scales[c] input_step sum q (q_x - zero) + bias[c], before ReLU; a norm that can be folded is.
struct IntegerLayer {
    int weight_bits = 8;
    WeightGrid grid = WeightGrid::integers;
    /// In LibTorch's order: (outputs, inputs, t, h, w) of a convolution, (outputs, inputs) of a
    /// linear layer. Empty: what it reads is rounded and nothing else.
    std::vector<std::int16_t> weights;
    std::vector<double> scales, bias;  ///< (outputs)
    double input_step = 1;
    int input_bits = 8;
};

/// The weights of a network by the names that LibTorch's modules have.
struct NetworkWeights {
    std::map<std::string, FloatArray> floats;
    std::map<std::string, IntegerLayer> integers;  ///< by module
};

/// The network of a spec of the families cnn3d and mbconv3d as a graph, with the spec and the
/// clip's normalisation as its metadata; targets are the caller's to add.
/// @param outputs  of the last layer.
/// @throws ConfigError  another family; weights that are missing, of another shape, or too many.
[[nodiscard]] Graph graph_of(const ArchitectureSpec& spec, const NetworkWeights& weights,
                             int outputs);

/// The same with weights that are always the same and mean nothing: for measuring.
[[nodiscard]] Graph random_graph_of(const ArchitectureSpec& spec, int outputs = 2);

/// Why the runtime cannot run a network of this spec, or nothing.
[[nodiscard]] std::optional<std::string> native_problem(const ArchitectureSpec& spec);

}  // namespace edgeloop::inference
