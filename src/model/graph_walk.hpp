#pragma once

#include <functional>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/types.h>

namespace edgeloop {

/// What is done at each operator of a graph that is walked; either may be empty.
struct GraphSteps {
    std::function<void(const torch::jit::Node&, torch::jit::Stack& inputs)> before;
    std::function<void(const torch::jit::Node&, torch::jit::IValue& result)> after;
};

/// Runs a frozen graph operator by operator, as LibTorch's interpreter does, and lets others see
/// and change what flows. Values go when their last user has run.
///
/// REQUIRES: a graph of traced_network().
[[nodiscard]] torch::jit::IValue walk_graph(const torch::jit::Graph& graph,
                                            const torch::Tensor& input, const GraphSteps& steps);

}  // namespace edgeloop
