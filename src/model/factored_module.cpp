#include "model/factored_module.hpp"

#include "model/network.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/factors.hpp"

#include <cmath>
#include <numeric>

#include <torch/nn/module.h>

namespace edgeloop {
namespace {

constexpr const char* scale_name = "scale";

/// Dimensions of a convolution's weights.
constexpr std::int64_t outputs_dimension = 0, inputs_dimension = 1;

std::vector<Bond> bonds_of(const FactoredLayer& factored) {
    std::vector<Bond> bonds;
    if (!factored.layer.is_linear && factored.format == "cp") {
        const bool has_depthwise = factored.layer.inputs > 1;
        Bond all{{0, outputs_dimension}};
        if (has_depthwise) all.push_back({1, outputs_dimension});
        all.push_back({all.size(), inputs_dimension});
        return {all};
    }
    for (std::size_t i = 0; i < factored.ranks.size(); ++i) {
        if (!factored.layer.is_linear)
            bonds.push_back({{i, outputs_dimension}, {i + 1, inputs_dimension}});
        else
            bonds.push_back({{i, factored.format == "tt" ? 2 : 3}, {i + 1, 0}});
    }
    return bonds;
}

std::vector<float> values_of(const torch::Tensor& tensor) {
    const torch::Tensor plain = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    return {plain.data_ptr<float>(), plain.data_ptr<float>() + plain.numel()};
}

}  // namespace

FactoredModule::FactoredModule(FactoredLayer layer)
    : layer_(std::move(layer)), bonds_(bonds_of(layer_)) {}

void FactoredModule::scale_bonds() {
    EDGELOOP_EXPECT(scales_.empty(), "bonds are scaled once");
    for (std::size_t i = 0; i < bonds_.size(); ++i) {
        const CoreAxis& axis = bonds_[i].front();
        const torch::Tensor& core = cores_[axis.core];
        scales_.push_back(
            register_parameter(scale_name + std::to_string(i),
                               torch::ones({core.size(axis.dimension)}, core.options())));
    }
}

torch::Tensor FactoredModule::scaled_core(std::size_t number) const {
    for (std::size_t i = 0; i < scales_.size(); ++i) {
        const CoreAxis& axis = bonds_[i].back();
        if (axis.core != number) continue;
        const torch::Tensor scale = scales_[i] * (scales_[i] > least_scale).to(torch::kFloat);
        std::vector<std::int64_t> shape(static_cast<std::size_t>(cores_[number].dim()), 1);
        shape[static_cast<std::size_t>(axis.dimension)] = -1;
        return cores_[number] * scale.reshape(shape);
    }
    return cores_[number];
}

torch::Tensor FactoredModule::merged_weight() const {
    const torch::NoGradGuard no_grad;
    inference::FactorWeights weights;
    for (std::size_t i = 0; i < cores_.size(); ++i) weights.push_back(values_of(scaled_core(i)));
    const TensorLayer& dense = layer_.layer;
    std::vector<float> merged = dense.is_linear ? inference::merged_linear(layer_, weights)
                                                : inference::merged_convolution(layer_, weights);
    std::vector<std::int64_t> shape{dense.outputs, dense.inputs};
    if (!dense.is_linear) shape.insert(shape.end(), dense.kernel.begin(), dense.kernel.end());
    return torch::tensor(merged).reshape(shape).to(cores_.front().device());
}

std::vector<double> FactoredModule::initial_deviations(double of_weight) const {
    // Each product keeps the variance of what it reads; the last one takes the rest.
    std::vector<double> deviations;
    double fan_in = volume(layer_.layer.kernel) * (1.0 * layer_.layer.inputs);
    if (!layer_.layer.is_linear) {
        for (const ChainLink& link : layer_.chain())
            deviations.push_back(std::sqrt(1.0 * link.outputs / link.weights()));
    } else {
        const bool is_train = layer_.format == "tt";
        const std::vector<TrainCore> cores = layer_.cores();
        for (std::size_t k = 0; k < cores.size(); ++k) {
            const double bond = is_train ? cores[k].left : cores[k].right;
            deviations.push_back(std::sqrt(1 / (bond * cores[k].inputs)));
        }
    }
    deviations.back() *= of_weight * std::sqrt(fan_in);
    return deviations;
}

std::vector<FactoredModule*> factored_modules(Network& network) {
    std::vector<FactoredModule*> found;
    for (const auto& module : network.modules(false))
        if (auto* const layer = dynamic_cast<FactoredModule*>(module.get())) found.push_back(layer);
    return found;
}

bool is_bond_scale(const std::string& parameter) {
    const std::string name = parameter.substr(parameter.rfind('.') + 1);
    return name.rfind(scale_name, 0) == 0;
}

}  // namespace edgeloop
