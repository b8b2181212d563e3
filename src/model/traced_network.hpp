#pragma once

#include "model/network.hpp"

#include <torch/csrc/jit/api/module.h>

namespace edgeloop {

/// What a traced network gives.
enum class TracedOutputs {
    targets,  ///< a tensor
    layers    ///< a list: the targets, then what each layer gives, in the order of LayerObserver
};

/// Traces a network in evaluation mode and freezes the graph: weights are constants of it. What a
/// deployment loads, or translates. It runs with any batch size.
///
/// REQUIRES: kernels of LibTorch's own operators (Kernels::exported or plain).
[[nodiscard]] torch::jit::Module traced_network(const std::shared_ptr<Network>& network,
                                                const torch::Tensor& example,
                                                TracedOutputs outputs = TracedOutputs::targets);

}  // namespace edgeloop
