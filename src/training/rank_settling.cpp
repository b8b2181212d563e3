#include "rank_settling.hpp"

#include "device_choice.hpp"
#include "model/factored_module.hpp"
#include "optimizer_state.hpp"
#include "quantised_training.hpp"
#include "training_run.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// What becomes of the parameters of a network as ranks become final: functions of tensors that
/// have their shape, by name. Parameters without one stay; scales go.
struct Change {
    std::vector<std::pair<std::int64_t, torch::Tensor>> kept;  ///< dimension and indices
    torch::Tensor scale;                                       ///< of one dimension; or undefined
    std::int64_t scaled = 0;                                   ///< that dimension
};
using Changes = std::map<std::string, Change>;

/// A core as its layer uses it (power 1), or something that is divided by its scales.
torch::Tensor scaled(const torch::Tensor& core, const Change& change, int power) {
    if (!change.scale.defined()) return core;
    constexpr double least = FactoredModule::least_scale;
    std::vector<std::int64_t> shape(static_cast<std::size_t>(core.dim()), 1);
    shape[static_cast<std::size_t>(change.scaled)] = -1;
    const torch::Tensor scale = change.scale.to(core.device());
    const torch::Tensor factors =
        power == 1 ? scale * (scale > least) : scale.clamp_min(least).pow(power);
    return core * factors.reshape(shape);
}

torch::Tensor cut(torch::Tensor core, const Change& change) {
    for (const auto& [dimension, indices] : change.kept)
        core = core.index_select(dimension, indices.to(core.device()));
    return core.contiguous();
}

std::string name_of(const Network& network, const torch::Tensor& parameter) {
    for (const auto& item : network.named_parameters())
        if (item.value().is_same(parameter)) return item.key();
    throw LogicError("a core is no parameter of its network");
}

Changes changes_of(const Network& network, const std::vector<FactoredModule*>& layers,
                   const std::vector<KeptIndices>& kept) {
    Changes changes;
    for (std::size_t i = 0; i < layers.size(); ++i)
        for (std::size_t b = 0; b < layers[i]->bonds().size(); ++b) {
            const Bond& bond = layers[i]->bonds()[b];
            const torch::Tensor indices = torch::tensor(kept[i][b]);
            for (const CoreAxis& axis : bond)
                changes[name_of(network, layers[i]->cores()[axis.core])].kept.emplace_back(
                    axis.dimension, indices);
            if (layers[i]->scales().empty()) continue;
            Change& last = changes[name_of(network, layers[i]->cores()[bond.back().core])];
            last.scale = layers[i]->scales()[b].detach().clone();
            last.scaled = bond.back().dimension;
        }
    return changes;
}

/// Names of an optimiser's parameters in its order.
std::vector<std::string> optimised(const Network& network,
                                   const torch::optim::Optimizer& optimizer) {
    std::vector<std::string> names;
    for (const torch::optim::OptimizerParamGroup& group : optimizer.param_groups())
        for (const torch::Tensor& parameter : group.params())
            names.push_back(name_of(network, parameter));
    return names;
}

/// A core that is multiplied by a scale has a gradient that is divided by it.
int power_of(const std::string& field) { return field == "exp_avg_sq" ? -2 : -1; }

OptimizerState changed(const OptimizerState& before, const std::vector<std::string>& names,
                       const std::vector<std::string>& names_now, const Changes& changes) {
    OptimizerState now;
    for (const std::string& name : names_now) {
        const auto old = std::size_t(std::find(names.begin(), names.end(), name) - names.begin());
        const std::string from = std::to_string(old) + '.',
                          to = std::to_string(now.steps.size()) + '.';
        now.steps.push_back(before.steps.at(old));
        const auto change = changes.find(name);
        for (auto found = before.tensors.lower_bound(from);
             found != before.tensors.end() && found->first.rfind(from, 0) == 0; ++found) {
            const std::string field = found->first.substr(from.size());
            now.tensors[to + field] =
                change == changes.end()
                    ? found->second
                    : cut(scaled(found->second, change->second, power_of(field)), change->second);
        }
    }
    return now;
}

}  // namespace

LowRank checked_ranks(const ArchitectureSpec& spec, const std::vector<Ranks>& ranks,
                      const std::string& where) {
    const std::vector<TensorLayer> layers = tensor_layers_of(spec);
    std::vector<Ranks> all = ranks_of(spec.low_rank, layers);
    std::size_t next = 0, factored = 0;
    for (const TensorLayer& layer : layers) {
        const TensorForm form = spec.low_rank.form_of(layer);
        if (form.is_dense()) continue;
        Ranks& own = all[factored++];
        if (!form.is_open()) continue;
        const bool fits = next < ranks.size() && ranks[next].size() == own.size() &&
                          std::equal(own.begin(), own.end(), ranks[next].begin(),
                                     [](int most, int rank) { return rank >= 1 && rank <= most; });
        if (!fits)
            throw CorruptState(where + " cannot be read", "its ranks are of another network");
        own = ranks[next++];
    }
    return with_ranks(spec.low_rank, layers, all);
}

void set_scale_rate(torch::optim::Optimizer& optimizer, const Network& network, double rate) {
    for (torch::optim::OptimizerParamGroup& group : optimizer.param_groups())
        if (is_bond_scale(name_of(network, group.params().front()))) group.options().set_lr(rate);
}

Weights TrainingRun::given_weights() const {
    Weights given = weights();
    if (!adaptation_) return given;
    const auto layers = open_layers(*network_, spec_.low_rank);
    std::vector<KeptIndices> all;
    for (const FactoredModule* const layer : layers) {
        KeptIndices& kept = all.emplace_back();
        for (const Bond& bond : layer->bonds()) {
            const std::int64_t rank =
                layer->cores()[bond.front().core].size(bond.front().dimension);
            auto& indices = kept.emplace_back();
            for (std::int64_t j = 0; j < rank; ++j) indices.push_back(j);
        }
    }
    for (const auto& [name, change] : changes_of(*network_, layers, all))
        given.at(name) = scaled(given.at(name), change, 1);
    for (auto item = given.begin(); item != given.end();)
        item = is_bond_scale(item->first) ? given.erase(item) : std::next(item);
    return given;
}

void TrainingRun::adapt_ranks(const StepTotals& totals) {
    const double steps = double(train_steps());
    const double done = (epoch_ + (double(step_) - 0.5) / steps) / adaptive_epochs_;
    adaptation_->before_step(done, totals.samples > 0 ? totals.loss_sum / totals.samples : 0);
    const double factor = adaptation_->loss_factor();
    if (factor == 1) return;
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : parameters_) parameter.mutable_grad().mul_(factor);
}

std::map<std::string, Ranks> TrainingRun::final_ranks() const {
    std::map<std::string, Ranks> ranks;
    for (const auto& [name, layer] : factored_layers(spec_.low_rank, tensor_layers_of(spec_)))
        ranks[name] = layer.ranks;
    return ranks;
}

void TrainingRun::rebuild(const LowRank& low_rank) {
    averager_.reset();
    adaptation_.reset();
    ranks_open_ = false;
    spec_.low_rank = low_rank;
    const auto outputs = int(sums_.targets.size());
    const bool trains = network_->is_training();
    network_ = make_network(spec_, candidate_.seed, outputs);
    network_->set_kernels(kernels_for(settings_, device_));
    network_->to(device_);
    network_->train(trains);
    make_optimiser();
}

std::vector<Ranks> TrainingRun::settle_ranks() {
    const torch::NoGradGuard no_grad;
    use_average(false);
    const auto layers = open_layers(*network_, spec_.low_rank);
    const std::vector<KeptIndices> kept = adaptation_->choose();
    std::vector<Ranks> ranks;
    for (const KeptIndices& of_layer : kept) {
        Ranks& own = ranks.emplace_back();
        for (const auto& indices : of_layer) own.push_back(int(indices.size()));
    }
    const Changes changes = changes_of(*network_, layers, kept);
    const std::shared_ptr<Network> before = network_;
    const std::vector<std::string> names = optimised(*before, *optimizer_);
    const OptimizerState state = state_of(*optimizer_);
    const auto parameters = before->named_parameters();
    Weights weights, averages;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const std::string& name = parameters[i].key();
        if (is_bond_scale(name)) continue;
        const auto change = changes.find(name);
        const auto made = [&](const torch::Tensor& tensor) {
            return change == changes.end() ? tensor
                                           : cut(scaled(tensor, change->second, 1), change->second);
        };
        weights[name] = made(parameters[i].value().detach());
        // Those of an average are multiplied by the scales of the weights: theirs lag behind.
        if (!averages_.empty()) averages[name] = made(averages_[i]);
    }
    rebuild(checked_ranks(spec_, ranks, "the choice of ranks"));
    load_weights(*network_, weights, "settled weights");
    set_state(*optimizer_, changed(state, names, optimised(*network_, *optimizer_), changes));
    averages_.clear();
    if (!averages.empty())
        for (const auto& item : network_->named_parameters())
            averages_.push_back(averages.at(item.key()).clone());
    return ranks;
}

}  // namespace edgeloop
