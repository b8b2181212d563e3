#include "model/quantisation.hpp"

#include <algorithm>
#include <cmath>

#include <torch/script.h>

namespace edgeloop {
namespace {

using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Stack;

bool is_kind(const Node& node, const char* name) {
    return std::string_view(node.kind().toQualString()) == name;
}

/// The weight of a layer that is quantised; undefined for all other nodes.
torch::Tensor weight_to_quantise(const Node& node, const Stack& inputs) {
    const bool is_convolution = is_kind(node, "aten::_convolution");
    if (!is_convolution && !is_kind(node, "aten::linear")) return {};
    const torch::Tensor x = inputs.at(0).toTensor();
    const torch::Tensor weight = inputs.at(1).toTensor();
    constexpr std::int64_t least_channels = 4;  // fewer give integers nothing to gain
    const bool is_head = !is_convolution && x.dim() == 2;
    return is_head || weight.size(1) < least_channels ? torch::Tensor() : weight;
}

torch::Tensor rounded(const torch::Tensor& x, const ValueRange& range) {
    const ActivationScale to = range.scale();
    return at::fake_quantize_per_tensor_affine(x, to.scale, to.zero, 0, 255);
}

torch::Tensor half_rounded(const torch::Tensor& x) {
    return x.scalar_type() == torch::kFloat ? x.to(torch::kHalf).to(torch::kFloat) : x;
}

}  // namespace

void ValueRange::include(const torch::Tensor& values) {
    if (values.numel() == 0) return;
    low = std::min(low, values.min().item<float>());
    high = std::max(high, values.max().item<float>());
}

ActivationScale ValueRange::scale() const {
    constexpr float steps = 255;
    // A value that is always 0 still needs a scale that can be divided by.
    const float scale = std::max((high - low) / steps, 1e-12F);
    return {scale, static_cast<std::uint8_t>(std::nearbyint(-low / scale))};
}

QuantisedWeight quantised(const torch::Tensor& weight) {
    // Processors without VNNI add products of a uint8 and an int8 in pairs, in 16 bits: 2 x 255 x
    // 64 still fits, 2 x 255 x 127 saturates.
    constexpr double largest = 64;
    std::vector<std::int64_t> each_channel(static_cast<std::size_t>(weight.dim()), 1);
    each_channel[0] = -1;
    QuantisedWeight result;
    result.scales = (weight.flatten(1).abs().amax(1) / largest).clamp_min(1e-12).contiguous();
    result.integers = (weight / result.scales.reshape(each_channel))
                          .round()
                          .clamp(-largest, largest)
                          .to(torch::kChar)
                          .contiguous();
    return result;
}

QuantisedNodes calibrate(
    const torch::jit::Graph& graph,
    const std::function<void(const std::function<void(const torch::Tensor&)>&)>& batches) {
    QuantisedNodes nodes;
    GraphSteps steps;
    steps.before = [&](const Node& node, Stack& inputs) {
        if (weight_to_quantise(node, inputs).defined())
            nodes[&node].input.include(inputs.at(0).toTensor());
    };
    steps.after = [&](const Node& node, IValue& result) {
        const auto found = nodes.find(&node);
        if (found != nodes.end()) found->second.output.include(result.toTensor());
    };
    batches(
        [&](const torch::Tensor& clips) { static_cast<void>(walk_graph(graph, clips, steps)); });
    return nodes;
}

torch::Tensor run_quantised(const torch::jit::Graph& graph, const QuantisedNodes& nodes,
                            const torch::Tensor& input) {
    GraphSteps steps;
    steps.before = [&](const Node& node, Stack& inputs) {
        const auto found = nodes.find(&node);
        if (found == nodes.end()) return;
        inputs[0] = rounded(inputs.at(0).toTensor(), found->second.input);
        const torch::Tensor weight = inputs.at(1).toTensor();
        const QuantisedWeight integers = quantised(weight);
        std::vector<std::int64_t> each_channel(static_cast<std::size_t>(weight.dim()), 1);
        each_channel[0] = -1;
        inputs[1] = integers.integers.to(torch::kFloat) * integers.scales.reshape(each_channel);
    };
    steps.after = [&](const Node& node, IValue& result) {
        const auto found = nodes.find(&node);
        if (found != nodes.end() && is_kind(node, "aten::_convolution"))
            result = rounded(result.toTensor(), found->second.output);
    };
    return walk_graph(graph, input, steps).toTensor();
}

torch::Tensor run_in_half(const torch::jit::Graph& graph, const torch::Tensor& input) {
    GraphSteps steps;
    steps.before = [](const Node&, Stack& inputs) {
        for (IValue& each : inputs)
            if (each.isTensor()) each = half_rounded(each.toTensor());
    };
    steps.after = [](const Node&, IValue& result) {
        if (result.isTensor()) result = half_rounded(result.toTensor());
    };
    return walk_graph(graph, input, steps).toTensor();
}

}  // namespace edgeloop
