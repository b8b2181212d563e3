#pragma once

#include "model/network.hpp"

#include <functional>

namespace edgeloop {

/// Standard deviation of a weight's initial values, from its name and tensor.
using InitialDeviation = std::function<double(const std::string& name, const torch::Tensor&)>;

/// Fills all parameters: normal values where a tensor has two dimensions or more, 1 for weights of
/// norms, 0 for biases. Each tensor has its own stream named after it, so that the same layer
/// starts alike in two networks that differ elsewhere.
void initialise(Network& network, std::uint64_t seed, const InitialDeviation& deviation);

/// He deviation for layers followed by ReLU: sqrt(2 / fan-in).
/// Source: He et al., "Delving deep into rectifiers", ICCV 2015.
[[nodiscard]] double he_deviation(const torch::Tensor& weight);

}  // namespace edgeloop
