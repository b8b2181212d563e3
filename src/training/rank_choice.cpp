#include "rank_choice.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace edgeloop {
namespace {

constexpr double half_cauchy_scale = 0.1;  ///< eta of the prior
constexpr double tiny = 1e-30;

/// An index that may go.
struct Index {
    double worth;  ///< over the best of its bond
    std::size_t layer, bond;
    std::int64_t number;
};

/// Ties are broken by the place, so that all ranks of a group choose alike.
bool is_worth_less(const Index& a, const Index& b) {
    if (a.worth != b.worth) return a.worth < b.worth;
    if (a.layer != b.layer) return a.layer > b.layer;
    if (a.bond != b.bond) return a.bond > b.bond;
    return a.number > b.number;
}

class Choice {
  public:
    Choice(const LowRank& low_rank, const std::vector<FactoredModule*>& layers)
        : low_rank_(low_rank), layers_(layers) {}

    [[nodiscard]] std::vector<KeptIndices> run() && {
        for (std::size_t i = 0; i < layers_.size(); ++i) judge_layer(i);
        meet_targets();
        std::vector<KeptIndices> kept;
        for (const FactoredModule* const layer : layers_) kept.emplace_back(layer->bonds().size());
        for (const Index& index : left_) kept[index.layer][index.bond].push_back(index.number);
        for (KeptIndices& of_layer : kept)
            for (auto& indices : of_layer) std::sort(indices.begin(), indices.end());
        return kept;
    }

  private:
    void judge_layer(std::size_t number) {
        const FactoredModule& layer = *layers_[number];
        Ranks ranks;
        for (std::size_t b = 0; b < layer.bonds().size(); ++b)
            ranks.push_back(judge_bond(layer, number, b));
        const FactoredLayer& factored = layer.layer();
        const TensorForm form = low_rank_.form_of(factored.layer);
        if (form.rank_target > 0) {
            sizes_[factored.layer.group] += static_cast<double>(size_with(factored, ranks));
            targets_[factored.layer.group] += static_cast<double>(size_with(
                factored, largest_ranks(factored.format, factored.layer, form.rank_target)));
        }
        ranks_.push_back(std::move(ranks));
    }

    /// @return how many indices are worth keeping.
    int judge_bond(const FactoredModule& layer, std::size_t number, std::size_t bond) {
        const bool has_scales = !layer.scales().empty();
        const bool is_half_cauchy = low_rank_.adaptation == "half-cauchy";
        const torch::Tensor values =
            (has_scales ? layer.scales()[bond].detach()
                        : likely_variances(layer, layer.bonds()[bond], is_half_cauchy).sqrt())
                .to(torch::kCPU, torch::kDouble)
                .contiguous();
        const double best = values.max().item<double>();
        const double least =
            has_scales ? FactoredModule::least_scale : std::sqrt(least_variance) * best;
        int count = 0;
        for (std::int64_t j = 0; j < values.numel(); ++j) {
            const double value = values.data_ptr<double>()[j];
            if (value <= least && value != best) continue;
            left_.push_back({value / std::max(best, tiny), number, bond, j});
            ++count;
        }
        return count;
    }

    void meet_targets() {
        std::sort(left_.begin(), left_.end(), is_worth_less);
        const auto goes = [&](const Index& index) {
            const FactoredLayer& factored = layers_[index.layer]->layer();
            const std::size_t group = factored.layer.group;
            Ranks& ranks = ranks_[index.layer];
            int& rank = ranks[index.bond];
            if (targets_.count(group) == 0 || sizes_[group] <= targets_[group] || rank == 1)
                return false;
            sizes_[group] -= static_cast<double>(size_with(factored, ranks));
            --rank;
            sizes_[group] += static_cast<double>(size_with(factored, ranks));
            return true;
        };
        std::vector<Index> left;
        for (const Index& index : left_)
            if (!goes(index)) left.push_back(index);
        left_ = std::move(left);
    }

    const LowRank& low_rank_;
    const std::vector<FactoredModule*>& layers_;
    std::vector<Index> left_;
    std::vector<Ranks> ranks_;                       ///< of each layer
    std::map<std::size_t, double> sizes_, targets_;  ///< by group, where it has a target
};

}  // namespace

torch::Tensor squares(const torch::Tensor& core, std::int64_t dimension) {
    return core.detach()
        .transpose(0, dimension)
        .reshape({core.size(dimension), -1})
        .square()
        .sum(1);
}

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

std::int64_t size_with(const FactoredLayer& layer, const Ranks& ranks) {
    std::int64_t size = 0;
    if (layer.layer.is_linear)
        for (const TrainCore& core : cores_of(layer.format, layer.layer, ranks))
            size += core.weights();
    else
        for (const ChainLink& link : chain_of(layer.format, layer.layer, ranks))
            size += link.weights();
    return size;
}

std::vector<KeptIndices> chosen_indices(const LowRank& low_rank,
                                        const std::vector<FactoredModule*>& layers) {
    const torch::NoGradGuard no_grad;
    return Choice(low_rank, layers).run();
}

}  // namespace edgeloop
