#include "rank_choice.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace edgeloop {
namespace {

/// Singular value over the largest of its bond, below which it counts as nothing.
constexpr double least_worth = 0.04;

/// An index that may go.
struct Index {
    double worth;  ///< over the best of its bond
    std::size_t layer, bond;
    std::int64_t number;
};

/// Ties are broken by the place, so that a choice can be repeated.
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

    [[nodiscard]] std::vector<CanonicalForm> run() && {
        for (std::size_t i = 0; i < layers_.size(); ++i) judge_layer(i);
        meet_targets();
        std::map<std::pair<std::size_t, std::size_t>, std::vector<std::int64_t>> kept;
        for (const Index& index : left_) kept[{index.layer, index.bond}].push_back(index.number);
        for (auto& [place, indices] : kept) {
            std::sort(indices.begin(), indices.end());
            CanonicalBond& bond = forms_[place.first][place.second];
            bond = bond.with(torch::tensor(indices));
        }
        return std::move(forms_);
    }

  private:
    void judge_layer(std::size_t number) {
        const FactoredModule& layer = *layers_[number];
        forms_.push_back(canonical_form(layer));
        Ranks ranks;
        for (std::size_t b = 0; b < layer.bonds().size(); ++b)
            ranks.push_back(judge_bond(number, b));
        const FactoredLayer& factored = layer.layer();
        const TensorForm form = low_rank_.form_of(factored.layer);
        if (form.rank_target > 0) {
            sizes_[factored.layer.group] += static_cast<double>(size_with(factored, ranks));
            targets_[factored.layer.group] += static_cast<double>(
                size_with(factored, max_ranks(factored.format, factored.layer, form.rank_target)));
        }
        ranks_.push_back(std::move(ranks));
    }

    /// @return how many indices are worth keeping.
    int judge_bond(std::size_t number, std::size_t bond) {
        const torch::Tensor worth = forms_[number][bond].worth.contiguous();
        const std::int64_t best = worth.argmax().item<std::int64_t>();
        const double largest = worth[best].item<double>();
        int count = 0;
        for (std::int64_t j = 0; j < worth.numel(); ++j) {
            const double value = worth.data_ptr<double>()[j];
            if (j != best && !(value > least_worth * largest)) continue;
            left_.push_back({largest > 0 ? value / largest : 0, number, bond, j});
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
    std::vector<CanonicalForm> forms_;  ///< of each layer
    std::vector<Index> left_;
    std::vector<Ranks> ranks_;                       ///< of each layer
    std::map<std::size_t, double> sizes_, targets_;  ///< by group, where it has a target
};

}  // namespace

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

std::vector<CanonicalForm> chosen_forms(const LowRank& low_rank,
                                        const std::vector<FactoredModule*>& layers) {
    return Choice(low_rank, layers).run();
}

}  // namespace edgeloop
