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

/// For a process that runs TorchScript on the CPU, before it loads or traces any: without
/// LibTorch's profiling executor. Where its fuser has LLVM (Debian 13), compiling the windows of a
/// small swin3d takes minutes; with the fuser off its notes on each tensor stay in the graph for
/// good, 0.03 ms a pass of a network that takes 0.15 ms.
void run_scripts_unprofiled();

}  // namespace edgeloop
