#include "weights_file.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/model/final_ranks.hpp"

#include <cstring>
#include <utility>
#include <vector>

namespace edgeloop {
namespace {

/// A copy of one tensor of a file.
torch::Tensor copy_of(const TensorView& view, const std::string& where) {
    if (view.type != ElementType::f32)
        throw ConfigError(where + ": a tensor is not F32",
                          "weights are read from safetensors files of float32");
    torch::Tensor tensor = torch::empty(view.shape);
    if (!view.bytes.empty())
        std::memcpy(tensor.data_ptr<float>(), view.bytes.data(), view.bytes.size());
    return tensor;
}

}  // namespace

std::string encode_weights(const std::map<std::string, torch::Tensor>& weights) {
    SafeTensors content;
    std::vector<torch::Tensor> plain;
    for (const auto& [name, tensor] : weights) {
        plain.push_back(tensor.to(torch::kCPU, torch::kFloat32).contiguous());
        const torch::Tensor& values = plain.back();
        content.tensors[name] = {ElementType::f32,
                                 values.sizes().vec(),
                                 {static_cast<const char*>(values.data_ptr()), values.nbytes()}};
    }
    return encode_safetensors(content);
}

std::map<std::string, torch::Tensor> decode_weights(const std::string& bytes,
                                                    const std::string& where) {
    std::map<std::string, torch::Tensor> weights;
    for (const auto& [name, view] : decode_safetensors(bytes, where).tensors)
        weights[name] = copy_of(view, where);
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

ArchitectureSpec with_ranks_in(const std::map<std::string, torch::Tensor>& weights,
                               ArchitectureSpec spec) {
    WeightShapes shapes;
    for (const auto& [name, tensor] : weights) shapes[name] = tensor.sizes().vec();
    return with_ranks_of(shapes, std::move(spec));
}

std::shared_ptr<Network> trained_network(const ArchitectureSpec& design, const std::string& file) {
    constexpr std::uint64_t seed = 1;
    std::map<std::string, torch::Tensor> weights;
    if (!file.empty()) weights = decode_weights(read_file(file), file);
    const ArchitectureSpec spec = with_ranks_in(weights, design);
    auto network = make_network(spec, seed);
    if (!file.empty()) {
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
