#pragma once

#include "model/low_rank_linear.hpp"
#include "training/rank_adaptation.hpp"

#include <cmath>
#include <memory>
#include <vector>

#include <torch/torch.h>

namespace edgeloop::study {

inline void fill(TensorLinearImpl& layer, double deviation_of_weight) {
    const torch::NoGradGuard no_grad;
    const std::vector<double> deviations = layer.initial_deviations(deviation_of_weight);
    for (std::size_t k = 0; k < deviations.size(); ++k) {
        torch::Tensor core = layer.cores()[k];
        core.normal_(0, deviations[k]);
    }
    layer.bias.zero_();
}

/// The layer as it is in a form.
inline TensorLinear shrunk(const TensorLinearImpl& layer, const CanonicalForm& form) {
    const torch::NoGradGuard no_grad;
    TensorLinear made(FactoredLayer{layer.layer().layer, layer.layer().format, ranks_in(form)});
    for (std::size_t k = 0; k < layer.cores().size(); ++k)
        made->cores()[k].detach().copy_(
            in_form(layer.cores()[k], CoreTensor::weights, layer, k, form));
    made->bias.copy_(layer.bias);
    return made;
}

/// Adam over weights, with the rate that scales of bonds have in training.
inline std::unique_ptr<torch::optim::Adam> optimiser_of(const torch::nn::Module& network,
                                                        double rate) {
    std::vector<torch::Tensor> weights, scales;
    for (const auto& parameter : network.named_parameters())
        (is_bond_scale(parameter.key()) ? scales : weights).push_back(parameter.value());
    auto optimiser = std::make_unique<torch::optim::Adam>(weights, torch::optim::AdamOptions(rate));
    if (!scales.empty())
        optimiser->add_param_group(
            {scales, std::make_unique<torch::optim::AdamOptions>(scale_rate * rate)});
    return optimiser;
}

}  // namespace edgeloop::study
