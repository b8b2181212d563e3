#include "quantised_training.hpp"

#include "model/factored_module.hpp"
#include "model/rounding.hpp"
#include "optimization.hpp"
#include "training_run.hpp"

#include <algorithm>
#include <vector>

namespace edgeloop {
namespace {

constexpr std::size_t calibration_steps = 4;  ///< batches that first steps are taken from

void forget_decay(torch::optim::OptimizerOptions& options) {
    if (auto* adam = dynamic_cast<torch::optim::AdamOptions*>(&options)) adam->weight_decay(0);
    if (auto* adamw = dynamic_cast<torch::optim::AdamWOptions*>(&options)) adamw->weight_decay(0);
    if (auto* sgd = dynamic_cast<torch::optim::SGDOptions*>(&options)) sgd->weight_decay(0);
}

}  // namespace

std::unique_ptr<torch::optim::Optimizer> optimizer_of(const TrainingRecipe& recipe,
                                                      const Network& network) {
    std::vector<torch::Tensor> weights, steps, scales;
    for (const auto& parameter : network.named_parameters()) {
        const std::string& name = parameter.key();
        (is_step(name)         ? steps
         : is_bond_scale(name) ? scales
                               : weights)
            .push_back(parameter.value());
    }
    auto optimizer = make_optimizer(recipe, std::move(weights));
    for (std::vector<torch::Tensor>* const others : {&steps, &scales}) {
        if (others->empty()) continue;
        auto options = optimizer->param_groups().front().options().clone();
        forget_decay(*options);
        optimizer->add_param_group({std::move(*others), std::move(options)});
    }
    return optimizer;
}

bool TrainingRun::has_rounding() const { return !spec_.quantisation.is_float(); }

int TrainingRun::first_rounding_epoch() const {
    return spec_.quantisation.first_epoch(spec_.training.epochs);
}

void TrainingRun::observe_activations() {
    const torch::NoGradGuard no_grad;
    set_rounding(*network_, Rounding::observed);
    network_->eval();
    train_.start_epoch(0);
    const std::size_t steps = std::min(calibration_steps, train_.steps_per_epoch());
    for (std::size_t step = 0; step < steps && train_.next(batch_); ++step)
        for_each_part(
            [this](std::size_t first, std::size_t count) { (void)predict(first, count); });
}

std::vector<double> TrainingRun::observed_activations() { return observations(*network_); }

void TrainingRun::start_rounding(const std::vector<double>& observed) {
    start_steps(*network_, observed);
    set_rounding(*network_, Rounding::on);
    if (averages_.empty()) return;
    // Steps of other weights are no part of an average.
    const torch::NoGradGuard no_grad;
    const auto named = network_->named_parameters();
    for (std::size_t i = 0; i < averages_.size(); ++i)
        if (is_step(named[i].key())) averages_[i].copy_(parameters_[i]);
}

}  // namespace edgeloop
