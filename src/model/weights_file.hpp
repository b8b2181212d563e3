#pragma once

#include "model/network.hpp"

#include <map>
#include <memory>
#include <string>

#include <torch/torch.h>

namespace edgeloop {

/// Weights by name as a safetensors file (core/safetensors.hpp), float32 only.
[[nodiscard]] std::string encode_weights(const std::map<std::string, torch::Tensor>& weights);

/// @param where  named in errors.
/// @throws ConfigError  not a sound safetensors file, or other types than F32.
[[nodiscard]] std::map<std::string, torch::Tensor> decode_weights(const std::string& bytes,
                                                                  const std::string& where);

/// with_ranks_of() of weights at hand.
[[nodiscard]] ArchitectureSpec with_ranks_in(const std::map<std::string, torch::Tensor>& weights,
                                             ArchitectureSpec spec);

/// The network of a spec with the weights of a file, or without one with initial weights that are
/// always the same; in evaluation mode. What is measured and exported.
/// @throws ConfigError  as make_network() and load_weights().
[[nodiscard]] std::shared_ptr<Network> trained_network(const ArchitectureSpec& spec,
                                                       const std::string& file);

/// All parameters and buffers of a network, on the CPU.
[[nodiscard]] std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& network);

}  // namespace edgeloop
