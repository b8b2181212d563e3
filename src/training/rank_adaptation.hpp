#pragma once

#include "model/factored_module.hpp"
#include "rank_choice.hpp"

#include "edgeloop/architecture/low_rank.hpp"

#include <vector>

namespace edgeloop {

/// What a training remembers of its search for ranks.
struct AdaptationProgress {
    double loss = -1;        ///< moving average over steps; negative: none yet
    double early_loss = -1;  ///< where the late stage began; negative: not yet
};

/// Makes ranks of layers smaller while they train. What pulls depends on the weights, and on losses
/// that all ranks of a group share, alone: it is the same on all of them. What is kept is chosen by
/// one of them.
///
/// What pulls on ranks is applied beside the optimiser's step, as AdamW applies weight decay: Adam
/// would divide a gradient of it by the noise of the loss's gradient.
///
/// diagonal: each index of a bond has a scale, which is pulled towards 0. Early stage: loss and
/// pull. Late stage, where there is a target: whichever of loss and size is further from its goal,
/// relatively, is pursued (Yang et al., CoMERA, NeurIPS 2024). Scales are pulled in proportion to
/// the inverse square of their size (reweighted, as in Candes, Wakin and Boyd, 2008), because two
/// parallel slices cost a plain sum as much as one; and slices keep their length, because cores
/// would take over what scales lose.
/// log-uniform, half-cauchy: the slices of a bond are normal with a variance that has this prior.
/// The variance that is most likely for given slices has a closed form; slices are pulled by it
/// (Hawkins and Zhang, "Bayesian tensorized neural networks with automatic rank selection", 2021).
class RankAdaptation {
  public:
    /// Gives the layers what they need. REQUIRES: before the network's optimiser is made.
    /// @param layers  whose ranks are open.
    RankAdaptation(const LowRank& low_rank, std::vector<FactoredModule*> layers);

    /// Factor of the loss's gradient in the next step.
    [[nodiscard]] double loss_factor() const { return pursues_size_ ? 0.1 : 1; }
    /// @param moment  share of the adaptation that is done, 0 to 1.
    /// @param loss    mean of the step over all ranks.
    void before_step(double moment, double loss);
    /// @param rate  of learning, of the step.
    void after_step(double rate);
    /// What is worth keeping; where there are targets, as much as they leave.
    [[nodiscard]] std::vector<CanonicalForm> choose() const;

    AdaptationProgress progress;

  private:
    void pull_scales(double pull);
    void pull_slices(double pull);
    [[nodiscard]] double size_gap() const;

    LowRank low_rank_;
    std::vector<FactoredModule*> layers_;
    /// Length that the slices of a bond keep, of each member on its left and of the last core.
    std::vector<std::vector<std::vector<double>>> lengths_;
    double moment_ = 0;
    bool pursues_size_ = false;
};

/// Factor of the learning rate of scales.
constexpr double scale_rate = 10;

/// The layers of a network whose ranks this spec leaves open, in the order of tensor_layers_of().
[[nodiscard]] std::vector<FactoredModule*> open_layers(Network& network, const LowRank& low_rank);

}  // namespace edgeloop
