#pragma once

#include "model/network.hpp"

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include <torch/torch.h>

namespace edgeloop::test {

/// A network in which every parameter counts, as after a training: the initial ones of some
/// families are so small that all clips give nearly the same, and biases and norms begin as if they
/// were not there.
inline std::shared_ptr<Network> lively_network(const ArchitectureSpec& spec, std::uint64_t seed) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(seed);
    const auto network = make_network(spec, seed);
    for (const torch::Tensor& parameter : network->parameters()) {
        const torch::Tensor normal = torch::randn(parameter.sizes());
        if (parameter.dim() < 2)
            parameter.add_(normal * 0.2);
        else
            parameter.copy_(normal / std::sqrt(static_cast<double>(parameter[0].numel())));
    }
    network->eval();
    return network;
}

}  // namespace edgeloop::test
