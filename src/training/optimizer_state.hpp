#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace edgeloop {

/// What an optimiser remembers, parameter by parameter in their order.
///
/// LibTorch's own archives name parameters by their addresses, in ways that differ between its
/// versions: 2.x reads those of 1.x without an error and gives the parameters each other's state.
struct OptimizerState {
    std::vector<std::int64_t> steps;               ///< of each parameter; -1: it has no state
    std::map<std::string, torch::Tensor> tensors;  ///< "NUMBER.NAME", e.g. "0.exp_avg"
};

/// Tensors are in host memory. REQUIRES: Adam, AdamW or SGD.
[[nodiscard]] OptimizerState state_of(const torch::optim::Optimizer& optimizer);

/// @throws CorruptState  the state is of another optimiser or of other parameters.
void set_state(torch::optim::Optimizer& optimizer, const OptimizerState& state);

/// The state in an archive that any version of LibTorch made of such an optimiser.
/// @throws c10::Error  it cannot be read.
[[nodiscard]] OptimizerState state_in_archive(const std::string& bytes);

}  // namespace edgeloop
