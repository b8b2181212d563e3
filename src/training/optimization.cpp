#include "optimization.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace edgeloop {

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const TrainingRecipe& recipe,
                                                        std::vector<torch::Tensor> parameters) {
    const double rate = recipe.learning_rate;
    if (recipe.optimizer == "adam")
        return std::make_unique<torch::optim::Adam>(
            std::move(parameters),
            torch::optim::AdamOptions(rate).weight_decay(recipe.weight_decay));
    if (recipe.optimizer == "adamw")
        return std::make_unique<torch::optim::AdamW>(
            std::move(parameters),
            torch::optim::AdamWOptions(rate).weight_decay(recipe.weight_decay));
    if (recipe.optimizer == "sgd")
        return std::make_unique<torch::optim::SGD>(
            std::move(parameters),
            torch::optim::SGDOptions(rate).momentum(0.9).weight_decay(recipe.weight_decay));
    throw ConfigError("training.optimizer '" + recipe.optimizer + "' is unknown", {},
                      "use adam, adamw or sgd");
}

double learning_rate(const TrainingRecipe& recipe, double moment) {
    const double rate = recipe.learning_rate;
    if (recipe.schedule == "one-cycle") {
        constexpr double warm_up = 0.3;
        const double done = std::min(1.0, moment / std::max(1, recipe.epochs));
        if (done < warm_up) return rate * done / warm_up;
        return rate * 0.5 * (1 + std::cos(pi * (done - warm_up) / (1 - warm_up)));
    }
    const int epoch = static_cast<int>(moment);
    if (recipe.schedule == "constant") return rate;
    if (recipe.schedule == "step")
        return rate * std::pow(recipe.gamma, epoch / std::max(1, recipe.step_epochs));
    if (recipe.schedule == "cosine") {
        const double done = std::min(1.0, double(epoch) / std::max(1, recipe.epochs));
        return rate * 0.5 * (1 + std::cos(pi * done));
    }
    throw ConfigError("training.schedule '" + recipe.schedule + "' is unknown", {},
                      "use step, cosine, one-cycle or constant");
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate) {
    for (torch::optim::OptimizerParamGroup& group : optimizer.param_groups())
        group.options().set_lr(rate);
}

}  // namespace edgeloop
