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

/// A regression network from clips to (speed/900, power/215), or to as many other targets.
class Network : public torch::nn::Module {
  public:
    /// @param clips  (B, 1, frames, side, side) float32, normalised.
    /// @return (B, outputs) normalised targets.
    [[nodiscard]] virtual torch::Tensor forward(const torch::Tensor& clips) = 0;
    /// Standard deviation of the initial values of a weight of two dimensions or more. Default: for
    /// layers followed by ReLU, sqrt(2 / fan-in), and a small one for the layer "output".
    /// Source: He et al., "Delving deep into rectifiers", ICCV 2015.
    [[nodiscard]] virtual double initial_deviation(const std::string& parameter,
                                                   const torch::Tensor& weight) const;
    /// Of the last layer. Shape (outputs).
    [[nodiscard]] torch::Tensor output_bias();
    /// All choices agree to rounding. Default: fused. Networks without fused layers ignore it.
    void set_kernels(Kernels kernels);
};

/// Builds the network of a spec with initial weights that depend on (spec, seed) alone, not on
/// LibTorch's global generator. It starts in training mode on the CPU.
///
/// @param outputs  one for each target.
/// @throws ConfigError  the spec is not one that can be built.
[[nodiscard]] std::shared_ptr<Network> make_network(const ArchitectureSpec& spec,
                                                    std::uint64_t seed, int outputs = 2);
/// Copies weights into a network by name. The tables `*.relative_position_index` of PyTorch's state
/// dictionaries are passed over: they follow from the window.
///
/// @param where  named in errors, e.g. the file.
/// @throws ConfigError  a parameter is missing, unknown or of another shape; nothing is copied
/// then.
void load_weights(Network& network, const std::map<std::string, torch::Tensor>& weights,
                  const std::string& where);

}  // namespace edgeloop
