#include "rank_settling.hpp"

#include "canonical_form.hpp"
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

/// A core that gets its final shape: its layer, its number and the layer's form.
struct Settled {
    const FactoredModule* layer;
    std::size_t core;
    const CanonicalForm* form;

    [[nodiscard]] torch::Tensor of(const torch::Tensor& tensor, CoreTensor what) const {
        return in_form(tensor, what, *layer, core, *form);
    }
};
/// By the names of parameters.
using SettledCores = std::map<std::string, Settled>;

std::string name_of(const Network& network, const torch::Tensor& parameter) {
    for (const auto& item : network.named_parameters())
        if (item.value().is_same(parameter)) return item.key();
    throw LogicError("a core is no parameter of its network");
}

SettledCores settled_cores(const Network& network, const std::vector<FactoredModule*>& layers,
                           const std::vector<CanonicalForm>& forms) {
    SettledCores cores;
    for (std::size_t i = 0; i < layers.size(); ++i)
        for (std::size_t k = 0; k < layers[i]->cores().size(); ++k)
            cores[name_of(network, layers[i]->cores()[k])] = {layers[i], k, &forms[i]};
    return cores;
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

OptimizerState settled(const OptimizerState& before, const std::vector<std::string>& names,
                       const std::vector<std::string>& names_now, const SettledCores& cores) {
    OptimizerState now;
    for (const std::string& name : names_now) {
        const auto old = std::size_t(std::find(names.begin(), names.end(), name) - names.begin());
        const std::string from = std::to_string(old) + '.',
                          to = std::to_string(now.steps.size()) + '.';
        now.steps.push_back(before.steps.at(old));
        const auto core = cores.find(name);
        for (auto found = before.tensors.lower_bound(from);
             found != before.tensors.end() && found->first.rfind(from, 0) == 0; ++found) {
            const std::string field = found->first.substr(from.size());
            const CoreTensor what =
                field == "exp_avg_sq" ? CoreTensor::squared_gradients : CoreTensor::gradients;
            now.tensors[to + field] =
                core == cores.end() ? found->second : core->second.of(found->second, what);
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
    const torch::NoGradGuard no_grad;
    for (const FactoredModule* const layer : open_layers(*network_, spec_.low_rank))
        for (std::size_t k = 0; k < layer->cores().size(); ++k)
            given.at(name_of(*network_, layer->cores()[k])) =
                layer->scaled_core(k).detach().to(torch::kCPU).clone();
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
    const std::vector<CanonicalForm> forms = adaptation_->choose();
    std::vector<Ranks> ranks;
    for (const CanonicalForm& form : forms) ranks.push_back(ranks_in(form));
    const SettledCores cores = settled_cores(*network_, layers, forms);
    const std::shared_ptr<Network> before = network_;
    const std::vector<std::string> names = optimised(*before, *optimizer_);
    const OptimizerState state = state_of(*optimizer_);
    const auto parameters = before->named_parameters();
    Weights weights, averages;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const std::string& name = parameters[i].key();
        if (is_bond_scale(name)) continue;
        const auto core = cores.find(name);
        const auto made = [&](const torch::Tensor& tensor) {
            return core == cores.end() ? tensor : core->second.of(tensor, CoreTensor::weights);
        };
        weights[name] = made(parameters[i].value().detach());
        // Those of an average in the form of the weights: its own lags behind.
        if (!averages_.empty()) averages[name] = made(averages_[i]);
    }
    rebuild(checked_ranks(spec_, ranks, "the choice of ranks"));
    load_weights(*network_, weights, "settled weights");
    set_state(*optimizer_, settled(state, names, optimised(*network_, *optimizer_), cores));
    averages_.clear();
    if (!averages.empty())
        for (const auto& item : network_->named_parameters())
            averages_.push_back(averages.at(item.key()).clone());
    return ranks;
}

}  // namespace edgeloop
