#pragma once

#include "model/network.hpp"

#include <torch/csrc/jit/api/module.h>

namespace edgeloop {

/// Traces a network with plain kernels, in evaluation mode, and freezes the graph: weights are
/// constants of it. What a deployment loads, or translates. The batch size is that of `example`.
[[nodiscard]] torch::jit::Module traced_network(const std::shared_ptr<Network>& network,
                                                const torch::Tensor& example);

}  // namespace edgeloop
