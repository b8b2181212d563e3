#include "model/rounding.hpp"

#include "model/layers.hpp"
#include "model/network.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <ATen/ops/_fake_quantize_learnable_per_channel_affine.h>
#include <ATen/ops/_fake_quantize_learnable_per_tensor_affine.h>

namespace edgeloop {
namespace {

constexpr std::array<double, 8> vecq_steps{1, .9957, .5860, .3352, .1881, .1041, .0569, .0308};
constexpr std::array<double, 7> integer_steps{1.224, .6508, .3534, .1932, .1055, .0573, .0309};
constexpr double max_grey = 255, tiny = 1e-12, smallest_unit = 1e-30;
constexpr const char *input_name = "input_step", *weight_name = "weight_steps";

std::vector<FrozenNormImpl*> frozen_norms(Network& network) {
    std::vector<FrozenNormImpl*> norms;
    for (const auto& module : network.modules(false))
        if (auto* const norm = dynamic_cast<FrozenNormImpl*>(module.get())) norms.push_back(norm);
    return norms;
}

int highest_weight(int bits) { return (1 << (bits - 1)) - 1; }

/// lsq() of float64, which LibTorch's operators do not take.
torch::Tensor lsq_of_doubles(const torch::Tensor& x, const torch::Tensor& step, int low, int high,
                             double factor) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    if (step.numel() > 1) shape[0] = step.numel();
    // The step, with `factor` times its gradient.
    const torch::Tensor s = (step * factor + (step * (1 - factor)).detach()).reshape(shape);
    const torch::Tensor v = x / s, rounded = v.detach().round();
    const torch::Tensor is_inside = (rounded >= low).logical_and(rounded <= high);
    return torch::where(is_inside, v + (rounded - v.detach()), rounded.clamp(low, high)) * s;
}

}  // namespace

double vecq_step(int bits) { return vecq_steps.at(static_cast<std::size_t>(bits) - 1); }

double integer_step(int bits) { return integer_steps.at(static_cast<std::size_t>(bits) - 2); }

VecqWeights vecq(const torch::Tensor& weights, int bits) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor rows = weights.detach().flatten(1);
    const torch::Tensor deviation = rows.square().mean(1, true).sqrt_().clamp_min_(tiny);
    const double half = 1 << (bits - 1);
    const torch::Tensor direction =
        (rows / (deviation * vecq_step(bits)) - 0.5).round_().clamp_(-half, half - 1).add_(0.5);
    const torch::Tensor alpha = (rows * direction).sum(1, true) / direction.square().sum(1, true);
    return {(alpha * direction).reshape(weights.sizes()), alpha.flatten()};
}

torch::Tensor lsq(const torch::Tensor& x, const torch::Tensor& step, int low, int high,
                  double numbers) {
    const double factor = 1 / std::sqrt(numbers * high);
    if (x.scalar_type() == torch::kDouble) return lsq_of_doubles(x, step, low, high, factor);
    const torch::Tensor zero = torch::zeros_like(step);
    if (step.numel() == 1)
        return at::_fake_quantize_learnable_per_tensor_affine(x, step, zero, low, high, factor);
    return at::_fake_quantize_learnable_per_channel_affine(x, step, zero, 0, low, high, factor);
}

RoundingOptions::RoundingOptions(const Quantisation& quantisation, const Bits& of_layer, Reads what,
                                 const ClipShape& clip)
    : bits(of_layer),
      reads(what),
      learns_weight_steps(quantisation.learns_steps(of_layer)),
      has_odd_weights(quantisation.has_odd_weights(of_layer)),
      mean(clip.mean),
      deviation(clip.deviation) {}

RoundedLayer::RoundedLayer(const RoundingOptions& options, std::int64_t outputs)
    : options_(options) {
    // Before weight and bias: the last parameter of a network is the bias of its output.
    if (options.bits.activations != Bits::none && options.reads != Reads::clip)
        log_input_step_ = register_parameter(input_name, torch::zeros({1}));
    if (outputs > 0 && options.learns_weight_steps)
        log_weight_steps_ = register_parameter(weight_name, torch::zeros({outputs}));
}

int RoundedLayer::highest() const {
    return options_.reads == Reads::both_signs ? highest_weight(options_.bits.activations)
                                               : (1 << options_.bits.activations) - 1;
}

int RoundedLayer::lowest() const { return options_.reads == Reads::both_signs ? -highest() : 0; }

double RoundedLayer::input_step() const {
    if (options_.reads == Reads::clip) return 1 / (max_grey * options_.deviation);
    return log_input_step_.exp().item<double>();
}

torch::Tensor RoundedLayer::input_scale() const {
    if (options_.reads == Reads::clip)
        return torch::full({1}, input_step(), weight.options().dtype(torch::kDouble));
    return log_input_step_.exp().to(torch::kDouble);
}

int RoundedLayer::input_zero() const {
    if (options_.reads != Reads::clip) return 0;
    return static_cast<int>(std::nearbyint(max_grey * options_.mean));
}

torch::Tensor RoundedLayer::rounded_input(const torch::Tensor& x) const {
    if (options_.bits.activations == Bits::none || rounding == Rounding::off) return x;
    if (rounding == Rounding::observed) {
        observed_sum += x.detach().abs().sum(torch::kDouble).item<double>();
        observed_numbers += static_cast<double>(x.numel());
        return x;
    }
    if (options_.reads == Reads::clip) {
        const torch::NoGradGuard no_grad;  // clips have none
        // As the native runtime rounds them, in float32.
        const double zero = input_zero();
        const torch::Tensor whole = (in_type(torch::kFloat, x) * (max_grey * options_.deviation))
                                        .round_()
                                        .clamp_(-zero, max_grey - zero);
        return whole.to(x.scalar_type()).mul_(input_step());
    }
    // Of one clip: ranks have different numbers of clips and the same step.
    const auto numbers = static_cast<double>(x.numel() / std::max<std::int64_t>(1, x.size(0)));
    return lsq(in_type(log_input_step_.scalar_type(), x), log_input_step_.exp(), lowest(),
               highest(), numbers);
}

torch::Tensor RoundedLayer::rounded_weight() const {
    const int bits = options_.bits.weights;
    if (bits == Bits::none || rounding != Rounding::on) return weight;
    if (options_.has_odd_weights)
        return vecq(weight, bits).values + (weight - weight.detach());  // straight through
    const int high = highest_weight(bits);
    return lsq(weight, log_weight_steps_.exp(), -high, high,
               static_cast<double>(weight[0].numel()));
}

torch::Tensor RoundedLayer::weight_scales() const {
    return options_.has_odd_weights ? vecq(weight, options_.bits.weights).alpha / 2
                                    : log_weight_steps_.exp();
}

bool RoundedLayer::rounds_bias() const {
    return rounding == Rounding::on && options_.bits.weights != Bits::none &&
           options_.bits.activations != Bits::none;
}

torch::Tensor RoundedLayer::rounded_bias() const {
    return bias.defined() && rounds_bias() ? whole_accumulators(bias) : bias;
}

torch::Tensor RoundedLayer::whole_accumulators(const torch::Tensor& of_bias,
                                               const torch::Tensor& norm_weight) const {
    const torch::Tensor exact = of_bias.detach();
    torch::Tensor rounded;
    {
        const torch::NoGradGuard no_grad;
        torch::Tensor unit = weight_scales().to(torch::kDouble) * input_scale();
        if (norm_weight.defined()) unit = unit * norm_weight.to(torch::kDouble);
        unit = unit.abs().clamp_min(smallest_unit);
        rounded = (exact / unit).round_().mul_(unit).to(exact.scalar_type());
    }
    return rounded + (of_bias - exact);  // straight through
}

void RoundedLayer::start_steps(double mean_magnitude) {
    const torch::NoGradGuard no_grad;
    if (log_input_step_.defined())
        log_input_step_.fill_(
            std::log(2 * std::max(mean_magnitude, tiny) / std::sqrt(double(highest()))));
    if (log_weight_steps_.defined()) {
        const torch::Tensor deviation = weight.flatten(1).square().mean(1).sqrt_();
        log_weight_steps_.copy_(
            (deviation * integer_step(options_.bits.weights)).clamp_min_(tiny).log_());
    }
}

std::vector<RoundedLayer*> rounded_layers(Network& network) {
    std::vector<RoundedLayer*> layers;
    for (const auto& module : network.modules(false)) {
        auto* const layer = dynamic_cast<RoundedLayer*>(module.get());
        if (layer != nullptr && layer->is_rounded()) layers.push_back(layer);
    }
    return layers;
}

void set_rounding(Network& network, Rounding rounding) {
    for (RoundedLayer* const layer : rounded_layers(network)) layer->rounding = rounding;
    for (FrozenNormImpl* const norm : frozen_norms(network)) norm->rounding = rounding;
}

std::vector<double> observations(Network& network) {
    std::vector<double> sums;
    for (const RoundedLayer* const layer : rounded_layers(network))
        sums.insert(sums.end(), {layer->observed_sum, layer->observed_numbers});
    for (const FrozenNormImpl* const norm : frozen_norms(network))
        sums.insert(sums.end(), norm->observed().begin(), norm->observed().end());
    return sums;
}

void start_steps(Network& network, const std::vector<double>& observations) {
    const std::vector<RoundedLayer*> layers = rounded_layers(network);
    const std::vector<FrozenNormImpl*> norms = frozen_norms(network);
    std::size_t place = 2 * layers.size();
    for (const FrozenNormImpl* const norm : norms) place += norm->observed().size();
    EDGELOOP_EXPECT(observations.size() == place, "observations of another network");
    for (std::size_t i = 0; i < layers.size(); ++i) {
        layers[i]->start_steps(observations[2 * i] / std::max(1.0, observations[2 * i + 1]));
        layers[i]->observed_sum = layers[i]->observed_numbers = 0;
    }
    place = 2 * layers.size();
    for (FrozenNormImpl* const norm : norms) {
        norm->freeze(observations.data() + place);
        norm->forget();
        place += norm->observed().size();
    }
}

bool is_step(const std::string& parameter) {
    const std::string name = parameter.substr(parameter.rfind('.') + 1);
    return name == input_name || name == weight_name || name == frozen_names[0] ||
           name == frozen_names[1];
}

}  // namespace edgeloop
