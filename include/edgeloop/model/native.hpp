#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/inference/graph.hpp"

#include <string>

namespace edgeloop {

/// The network of a spec as a graph for the native runtime.
/// @param weights  safetensors file; empty: initial weights of seed 1.
/// @throws ConfigError  as inference::graph_of(); weights of another network.
[[nodiscard]] inference::Graph native_graph(const ArchitectureSpec& spec,
                                            const std::string& weights);

}  // namespace edgeloop
