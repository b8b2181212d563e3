#pragma once

// Internal to edgeloop's torch-linked code (model, training, the edge agent): public headers stay
// free of LibTorch.

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/model/kernels.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

namespace edgeloop {

/// A regression network from clips to (speed/900, power/215).
class Network : public torch::nn::Module {
  public:
    /// @param clips  (B, 1, frames, side, side) float32, normalised.
    /// @return (B, 2) normalised targets.
    [[nodiscard]] virtual torch::Tensor forward(const torch::Tensor& clips) = 0;
    /// All choices agree to rounding. Default: fused. Networks without fused layers ignore it.
    virtual void set_kernels(Kernels) {}
};

/// Builds the network of a spec with initial weights that depend on (spec, seed) alone, not on
/// LibTorch's global generator. It starts in training mode on the CPU.
///
/// @throws ConfigError  the spec is not one that can be built.
[[nodiscard]] std::shared_ptr<Network> make_network(const ArchitectureSpec& spec,
                                                    std::uint64_t seed);
/// Copies weights into a network by name. The tables `*.relative_position_index` of PyTorch's state
/// dictionaries are passed over: they follow from the window.
///
/// @param where  named in errors, e.g. the file.
/// @throws ConfigError  a parameter is missing, unknown or of another shape; nothing is copied
/// then.
void load_weights(Network& network, const std::map<std::string, torch::Tensor>& weights,
                  const std::string& where);

}  // namespace edgeloop
