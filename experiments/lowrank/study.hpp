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

/// The layer with the indices that are kept, scales in its cores.
inline TensorLinear shrunk(const TensorLinearImpl& layer, const KeptIndices& kept) {
    const torch::NoGradGuard no_grad;
    Ranks ranks;
    for (const auto& indices : kept) ranks.push_back(static_cast<int>(indices.size()));
    TensorLinear made(FactoredLayer{layer.layer().layer, layer.layer().format, ranks});
    std::vector<torch::Tensor> cores;
    for (const torch::Tensor& core : layer.cores()) cores.push_back(core.detach().clone());
    for (std::size_t b = 0; b < kept.size(); ++b) {
        const Bond& bond = layer.bonds()[b];
        if (!layer.scales().empty()) {
            torch::Tensor& core = cores[bond.back().core];
            std::vector<std::int64_t> shape(static_cast<std::size_t>(core.dim()), 1);
            shape[static_cast<std::size_t>(bond.back().dimension)] = -1;
            core = core * layer.scales()[b].detach().reshape(shape);
        }
        const torch::Tensor indices = torch::tensor(kept[b]);
        for (const CoreAxis& axis : bond)
            cores[axis.core] = cores[axis.core].index_select(axis.dimension, indices);
    }
    for (std::size_t k = 0; k < cores.size(); ++k) made->cores()[k].detach().copy_(cores[k]);
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
