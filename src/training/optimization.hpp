#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <memory>
#include <vector>

#include <torch/torch.h>

namespace edgeloop {

/// The recipe's optimiser: adam, adamw or sgd (momentum 0.9). @throws ConfigError for another name.
[[nodiscard]] std::unique_ptr<torch::optim::Optimizer> make_optimizer(
    const TrainingRecipe& recipe, std::vector<torch::Tensor> parameters);

/// Learning rate at a moment of training, in epochs from 0: 2.5 is halfway through the third.
///
/// With e = floor(epoch), step: rate · gamma^floor(e / step_epochs); cosine: rate · (1 + cos(π e /
/// epochs)) / 2; constant: rate. one-cycle rises linearly to the rate over the first three tenths
/// of the epochs and falls to 0 along half a cosine, from step to step (Smith, Topin,
/// "Super-convergence", 2019). Both span the recipe's own number of epochs, so that a shorter
/// budget is a prefix of a longer one. @throws ConfigError for another schedule.
[[nodiscard]] double learning_rate(const TrainingRecipe& recipe, double epoch);

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate);

}  // namespace edgeloop
