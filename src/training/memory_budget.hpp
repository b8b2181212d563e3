#pragma once

#include "edgeloop/model/counts.hpp"
#include "edgeloop/space/architecture_spec.hpp"

namespace edgeloop {

/// Bytes a rank needs to train a design: weights, gradients, optimiser state and the activations of
/// one batch. An estimate from counts; LibTorch's own scratch memory is not in it.
[[nodiscard]] double training_bytes(const ModelCounts& counts, const TrainingRecipe& recipe);

/// Nine tenths of this machine's memory (or of the control group's limit, if smaller), shared
/// equally among the `ranks` on it.
[[nodiscard]] double memory_share_bytes(int ranks);

}  // namespace edgeloop
