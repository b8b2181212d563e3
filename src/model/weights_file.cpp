#include "weights_file.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/safetensors.hpp"

#include <cstdint>
#include <cstring>

namespace edgeloop {
std::string encode_weights(const std::map<std::string, torch::Tensor>& weights) {
    std::map<std::string, FloatArray> arrays;
    for (const auto& [name, tensor] : weights) {
        const torch::Tensor plain = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
        const float* const values = plain.data_ptr<float>();
        arrays[name] = {plain.sizes().vec(), {values, values + plain.numel()}};
    }
    return encode_safetensors(arrays);
}

std::map<std::string, torch::Tensor> decode_weights(const std::string& bytes,
                                                    const std::string& where) {
    std::map<std::string, torch::Tensor> weights;
    for (const auto& [name, array] : decode_safetensors(bytes, where)) {
        torch::Tensor tensor = torch::empty(array.shape);
        if (!array.values.empty())
            std::memcpy(tensor.data_ptr<float>(), array.values.data(), tensor.nbytes());
        weights[name] = std::move(tensor);
    }
    return weights;
}

std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& network) {
    std::map<std::string, torch::Tensor> weights;
    for (const auto& item : network.named_parameters())
        weights[item.key()] = item.value().detach().to(torch::kCPU);
    for (const auto& item : network.named_buffers())
        weights[item.key()] = item.value().detach().to(torch::kCPU);
    return weights;
}

std::shared_ptr<Network> trained_network(const ArchitectureSpec& spec, const std::string& file) {
    constexpr std::uint64_t seed = 1;
    auto network = make_network(spec, seed);
    if (!file.empty()) {
        const auto weights = decode_weights(read_file(file), file);
        // In every family the layer that is registered last is the output layer.
        const auto last = network->named_parameters().back();
        const auto bias = weights.find(last.key());
        if (bias != weights.end() && bias->second.numel() != last.value().numel())
            network = make_network(spec, seed, static_cast<int>(bias->second.numel()));
        load_weights(*network, weights, file);
    }
    network->eval();
    return network;
}

}  // namespace edgeloop
