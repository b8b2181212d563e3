#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <memory>
#include <vector>

#include <torch/torch.h>

namespace edgeloop {

/// The recipe's optimiser: adam, adamw or sgd (momentum 0.9). @throws ConfigError for another name.
[[nodiscard]] std::unique_ptr<torch::optim::Optimizer> make_optimizer(
    const TrainingRecipe& recipe, std::vector<torch::Tensor> parameters);

/// Learning rate of an epoch, counted from 0.
///
/// step: rate · gamma^floor(epoch / step_epochs). cosine: rate · (1 + cos(π epoch / epochs)) / 2
/// over the recipe's own number of epochs, so that a shorter budget is a prefix of a longer one.
/// constant: rate. @throws ConfigError for another schedule.
[[nodiscard]] double learning_rate(const TrainingRecipe& recipe, int epoch);

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate);

}  // namespace edgeloop
