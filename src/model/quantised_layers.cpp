#include "model/quantised_layers.hpp"

#include "model/layers.hpp"
#include "model/rounding.hpp"

namespace edgeloop {
namespace {

constexpr double smallest_scale = 1e-20;  // of channels that an affine norm switches off
constexpr double max_accumulators = 1 << 30;

/// Integers and scales of a layer's weights.
void take_weights(const RoundedLayer& layer, QuantisedLayer& into) {
    const torch::Tensor rounded = layer.rounded_weight().to(torch::kDouble).flatten(1);
    const torch::Tensor scales =
        layer.weight_scales().to(torch::kDouble).abs().clamp_min(smallest_scale);
    into.weights =
        (rounded / scales.unsqueeze(1)).round().reshape(layer.weight.sizes()).to(torch::kShort);
    if (into.has_odd_weights)  // weights that are all 0 have no direction: any is as good
        into.weights =
            torch::where(into.weights == 0, torch::ones_like(into.weights), into.weights);
    into.scales = scales;
    into.bias = layer.bias.defined() ? layer.bias.to(torch::kDouble)
                                     : torch::zeros({layer.weight.size(0)}, torch::kDouble);
}

/// y = weight (scale a + bias) + shift, with the sign of `weight` in the integers.
void fold(const AffineImpl& norm, QuantisedLayer& into) {
    const torch::Tensor weight = norm.scale().to(torch::kDouble);
    std::vector<std::int64_t> shape(static_cast<std::size_t>(into.weights.dim()), 1);
    shape[0] = weight.size(0);
    const torch::Tensor sign = torch::where(weight < 0, -1, 1).to(torch::kShort).reshape(shape);
    into.weights = into.weights * sign;
    into.scales = (into.scales * weight.abs()).clamp_min(smallest_scale);
    into.bias = into.bias * weight + norm.shift().to(torch::kDouble);
}

/// Biases become whole numbers of accumulators. One that would be too many of them belongs to a
/// channel whose weights are next to nothing beside it: their scale is raised.
void round_bias(QuantisedLayer& into) {
    if (into.input_step == 0) return;
    into.scales = torch::max(into.scales, into.bias.abs() / (max_accumulators * into.input_step));
    const torch::Tensor unit = into.scales * into.input_step;
    into.bias = (into.bias / unit).round_() * unit;
}

}  // namespace

std::vector<QuantisedLayer> quantised_layers(Network& network) {
    const torch::NoGradGuard no_grad;
    const auto modules = network.named_modules("", false);
    std::vector<QuantisedLayer> layers;
    for (const auto& module : modules) {
        const auto* const layer = dynamic_cast<const RoundedLayer*>(module.value().get());
        if (layer == nullptr || !layer->is_rounded()) continue;
        QuantisedLayer found;
        found.name = module.key();
        found.bits = layer->options().bits;
        found.has_odd_weights = layer->options().has_odd_weights;
        found.is_signed = layer->options().reads == Reads::both_signs;
        if (found.bits.activations != Bits::none) {
            found.input_step = layer->input_step();
            found.input_zero = layer->input_zero();
        }
        if (layer->weight.defined() && found.bits.weights != Bits::none) {
            take_weights(*layer, found);
            // A convolution and its norm are siblings: "stages.0.conv", "stages.0.norm".
            const std::string norm = found.name.substr(0, found.name.rfind('.')) + ".norm";
            const auto* const sibling = modules.find(norm);
            if (sibling != nullptr)
                if (const auto* affine = dynamic_cast<const AffineImpl*>(sibling->get()))
                    fold(*affine, found);
            round_bias(found);
        }
        layers.push_back(std::move(found));
    }
    return layers;
}

}  // namespace edgeloop
