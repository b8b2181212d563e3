#pragma once

#include "model/network.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"

#include <memory>

#include <torch/torch.h>

namespace edgeloop {

/// The recipe's optimiser of all parameters. Steps of quantised layers are its second group,
/// without weight decay: a step of 0 is no goal.
[[nodiscard]] std::unique_ptr<torch::optim::Optimizer> optimizer_of(const TrainingRecipe& recipe,
                                                                    const Network& network);

}  // namespace edgeloop
