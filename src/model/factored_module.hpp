#pragma once

#include "model/layers.hpp"

#include "edgeloop/architecture/low_rank.hpp"

#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace edgeloop {

class Network;

/// Where a rank lies in a core: its number and the dimension.
struct CoreAxis {
    std::size_t core;
    std::int64_t dimension;
};
/// A rank of a layer: what it indexes, left to right.
using Bond = std::vector<CoreAxis>;

/// A layer whose weights are a product of cores.
///
/// While ranks adapt, each index of a bond has a scale that is trained; a core on the bond's right
/// is multiplied by it. What a scale leaves below `least_scale` counts as nothing.
class FactoredModule : public torch::nn::Module, public KernelChoice {
  public:
    static constexpr double least_scale = 1e-2;  ///< Yang et al., CoMERA, NeurIPS 2024

    explicit FactoredModule(FactoredLayer layer);

    [[nodiscard]] const FactoredLayer& layer() const { return layer_; }
    /// Parameters, from the input to the output: weights of links, or cores of a linear layer.
    [[nodiscard]] const std::vector<torch::Tensor>& cores() const { return cores_; }
    [[nodiscard]] const std::vector<Bond>& bonds() const { return bonds_; }
    /// Gives each bond its scales, all 1: parameters "scale0", ...
    void scale_bonds();
    /// One tensor a bond; empty where they have no scales.
    [[nodiscard]] const std::vector<torch::Tensor>& scales() const { return scales_; }
    /// A core, times the scales of the bond on its left.
    [[nodiscard]] torch::Tensor scaled_core(std::size_t number) const;
    /// The weights that the cores stand for, as the dense layer has them; without gradient.
    [[nodiscard]] torch::Tensor merged_weight() const;
    /// Standard deviations with which cores begin, so that the weights they stand for have this
    /// one.
    [[nodiscard]] std::vector<double> initial_deviations(double of_weight) const;

  protected:
    void add_core(torch::Tensor core) { cores_.push_back(std::move(core)); }

  private:
    FactoredLayer layer_;
    std::vector<torch::Tensor> cores_, scales_;
    std::vector<Bond> bonds_;
};

/// The layers in tensor form, in the order of the network's modules; the network owns them.
[[nodiscard]] std::vector<FactoredModule*> factored_modules(Network& network);
/// Whether a parameter of this name is a scale of a bond.
[[nodiscard]] bool is_bond_scale(const std::string& parameter);

}  // namespace edgeloop
