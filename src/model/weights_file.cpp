#include "weights_file.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/little_endian.hpp"

#include <cstdint>
#include <cstring>
#include <vector>

namespace edgeloop {
namespace {

constexpr std::size_t length_bytes = sizeof(std::uint64_t);

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
    throw ConfigError(where + ": " + what, "weights are read from safetensors files of float32");
}

/// The tensor an entry of the header describes, copied out of `values`.
torch::Tensor tensor_of(const Json& entry, const std::string& values, const std::string& where) {
    if (entry.at("dtype").get<std::string>() != "F32") refuse(where, "a tensor is not F32");
    const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
    const auto place = entry.at("data_offsets").get<std::vector<std::uint64_t>>();
    std::uint64_t count = 1;
    for (const std::int64_t length : shape) {
        if (length < 0 || (length > 0 && count > values.size() / std::uint64_t(length)))
            refuse(where, "a shape does not fit the file");
        count *= std::uint64_t(length);
    }
    if (place.size() != 2 || place[0] > place[1] || place[1] > values.size() ||
        place[1] - place[0] != count * sizeof(float))
        refuse(where, "a tensor lies outside the file");
    torch::Tensor tensor = torch::empty(shape);
    std::memcpy(tensor.data_ptr<float>(), values.data() + place[0], place[1] - place[0]);
    return tensor;
}

}  // namespace

std::string encode_weights(const std::map<std::string, torch::Tensor>& weights) {
    Json header = Json::object();
    std::string values;
    for (const auto& [name, tensor] : weights) {
        const torch::Tensor plain = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
        const std::uint64_t begin = values.size();
        values.append(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
        header[name] = {{"dtype", "F32"},
                        {"shape", plain.sizes().vec()},
                        {"data_offsets", {begin, std::uint64_t(values.size())}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + length_bytes - 1) / length_bytes * length_bytes, ' ');
    std::string bytes;
    put_little_endian<std::uint64_t>(bytes, text.size());
    return bytes + text + values;
}

std::map<std::string, torch::Tensor> decode_weights(const std::string& bytes,
                                                    const std::string& where) {
    if (bytes.size() < length_bytes) refuse(where, "the file is too short");
    const std::uint64_t length = get_little_endian<std::uint64_t>(bytes);
    if (length > bytes.size() - length_bytes) refuse(where, "the header is longer than the file");
    const Json header = parse_json(bytes.substr(length_bytes, length), where);
    const std::string values = bytes.substr(length_bytes + length);
    std::map<std::string, torch::Tensor> weights;
    try {
        for (const auto& [name, entry] : header.items())
            if (name != "__metadata__") weights[name] = tensor_of(entry, values, where);
    } catch (const Json::exception& error) {
        refuse(where, error.what());
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
