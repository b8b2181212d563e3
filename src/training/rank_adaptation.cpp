#include "rank_adaptation.hpp"

#include "canonical_form.hpp"
#include "rank_choice.hpp"

#include <algorithm>
#include <cmath>

#include <torch/types.h>

namespace edgeloop {
namespace {

// Of a pull of strength 1, in units of the learning rate.
constexpr double pull_of_scales = 0.01, pull_of_slices = 0.025;
constexpr double max_weight = 10;  ///< of a small scale over the largest
constexpr double pursuit = 10;     ///< factor of the pull where the size is pursued
constexpr double late_stage = 2.0 / 3;
/// Shares of the adaptation at which the pull begins, and is whole.
constexpr double pull_begins = 0.05, pull_is_whole = 0.4;
constexpr double smoothing = 0.9;  ///< of the loss
constexpr double tiny = 1e-30;
/// Variance of a slice, over the largest of its bond, below which it counts as nothing.
constexpr double least_variance = 1e-3;
constexpr double half_cauchy_scale = 0.1;  ///< eta of the prior

void multiply(torch::Tensor core, std::int64_t dimension, const torch::Tensor& factors) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(core.dim()), 1);
    shape[static_cast<std::size_t>(dimension)] = -1;
    core.mul_(factors.reshape(shape));
}

/// The axes whose slices keep their length: those left of the bond's last, and that of the last
/// core, which nothing else would hold.
Bond held(const FactoredModule& layer, const Bond& bond) {
    Bond axes(bond.begin(), bond.end() - 1);
    if (bond.back().core + 1 == layer.cores().size()) axes.push_back(bond.back());
    return axes;
}

/// Variances of the slices of a bond, one for each index, that are most likely under a prior: the
/// log-uniform one or the half-Cauchy one.
torch::Tensor likely_variances(const FactoredModule& layer, const Bond& bond, bool is_half_cauchy) {
    torch::Tensor sum;
    double entries = 0;
    for (const CoreAxis& axis : bond) {
        const torch::Tensor& core = layer.cores()[axis.core];
        const torch::Tensor own = squares(core, axis.dimension);
        sum = sum.defined() ? sum + own : own;
        entries += static_cast<double>(core.numel() / core.size(axis.dimension));
    }
    if (!is_half_cauchy) return sum / (entries + 1);
    const double square = half_cauchy_scale * half_cauchy_scale;
    const torch::Tensor root =
        (sum.square() + sum * (square * (2 * entries + 8)) + entries * entries * square * square)
            .sqrt();
    return (sum - square * entries + root) / (2 * entries + 4);
}

}  // namespace

RankAdaptation::RankAdaptation(const LowRank& low_rank, std::vector<FactoredModule*> layers)
    : low_rank_(low_rank), layers_(std::move(layers)) {
    if (low_rank_.adaptation != "diagonal") return;
    for (FactoredModule* const layer : layers_) {
        layer->scale_bonds();
        auto& of_layer = lengths_.emplace_back();
        for (const Bond& bond : layer->bonds()) {
            auto& of_bond = of_layer.emplace_back();
            for (const CoreAxis& axis : held(*layer, bond))
                of_bond.push_back(std::sqrt(
                    squares(layer->cores()[axis.core], axis.dimension).mean().item<double>()));
        }
    }
}

void RankAdaptation::before_step(double moment, double loss) {
    moment_ = moment;
    progress.loss = progress.loss < 0 ? loss : smoothing * progress.loss + (1 - smoothing) * loss;
    pursues_size_ = false;
    if (low_rank_.adaptation != "diagonal" || moment < late_stage) return;
    if (progress.early_loss < 0) progress.early_loss = progress.loss;
    const double loss_gap = (progress.loss - progress.early_loss) / std::max(progress.loss, tiny);
    const double gap = size_gap();
    pursues_size_ = gap > 0 && loss_gap < gap;
}

double RankAdaptation::size_gap() const {
    double size = 0, target = 0;
    for (const FactoredModule* const layer : layers_) {
        const FactoredLayer& own = layer->layer();
        const TensorForm form = low_rank_.form_of(own.layer);
        if (form.rank_target == 0) continue;
        Ranks alive;
        for (const torch::Tensor& scale : layer->scales())
            alive.push_back(std::max(
                1, (scale > FactoredModule::least_scale).sum().to(torch::kInt).item<int>()));
        size += static_cast<double>(size_with(own, alive));
        target +=
            static_cast<double>(size_with(own, max_ranks(own.format, own.layer, form.rank_target)));
    }
    return size > 0 ? (size - target) / size : 0;
}

void RankAdaptation::after_step(double rate) {
    const torch::NoGradGuard no_grad;
    const double begun =
        std::clamp((moment_ - pull_begins) / (pull_is_whole - pull_begins), 0.0, 1.0);
    const double pull = rate * low_rank_.strength * begun;
    if (low_rank_.adaptation == "diagonal")
        pull_scales(pull_of_scales * scale_rate * pull * (pursues_size_ ? pursuit : 1));
    else
        pull_slices(pull_of_slices * pull);
}

void RankAdaptation::pull_scales(double pull) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const FactoredModule& layer = *layers_[i];
        for (std::size_t b = 0; b < layer.bonds().size(); ++b) {
            torch::Tensor scale = layer.scales()[b];
            const torch::Tensor weight =
                (scale.max() / scale.clamp_min(tiny)).square().clamp_max(max_weight);
            // Without its best index a layer would be none.
            scale.sub_(pull * weight * (scale < scale.max())).clamp_min_(0);
            const Bond axes = held(layer, layer.bonds()[b]);
            for (std::size_t a = 0; a < axes.size(); ++a) {
                torch::Tensor core = layer.cores()[axes[a].core];
                const torch::Tensor longer =
                    squares(core, axes[a].dimension).sqrt() / lengths_[i][b][a];
                // A slice of nothing stays, and so does its scale.
                const torch::Tensor factor =
                    torch::where(longer > 1e-12, longer, torch::ones_like(longer));
                multiply(core, axes[a].dimension, factor.reciprocal());
                scale.mul_(factor);
            }
        }
    }
}

void RankAdaptation::pull_slices(double pull) {
    const bool is_half_cauchy = low_rank_.adaptation == "half-cauchy";
    for (const FactoredModule* const layer : layers_)
        for (const Bond& bond : layer->bonds()) {
            const torch::Tensor variance = likely_variances(*layer, bond, is_half_cauchy);
            const torch::Tensor alive = variance > least_variance * variance.max();
            const torch::Tensor typical = (variance * alive).sum() / alive.sum();
            // Without its best index a layer would be none.
            const torch::Tensor strength =
                typical.sqrt() / variance.clamp_min(tiny) * (variance < variance.max());
            const torch::Tensor factor = (1 - pull * strength).clamp_min(0);
            for (const CoreAxis& axis : bond)
                multiply(layer->cores()[axis.core], axis.dimension, factor);
        }
}

std::vector<CanonicalForm> RankAdaptation::choose() const {
    return chosen_forms(low_rank_, layers_);
}

std::vector<FactoredModule*> open_layers(Network& network, const LowRank& low_rank) {
    std::vector<FactoredModule*> open;
    for (FactoredModule* const layer : factored_modules(network))
        if (low_rank.form_of(layer->layer().layer).is_open()) open.push_back(layer);
    return open;
}

}  // namespace edgeloop
