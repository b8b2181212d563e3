#pragma once

#include "edgeloop/architecture/low_rank.hpp"

#include <vector>

namespace edgeloop::inference {

/// Weights of the links of a chain, or of the cores of a linear layer, one after the other, each as
/// LibTorch has it.
using FactorWeights = std::vector<std::vector<float>>;

/// The kernel that a chain of convolutions stands for. (outputs, inputs, t, h, w).
[[nodiscard]] std::vector<float> merged_convolution(const FactoredLayer& convolution,
                                                    const FactorWeights& links);

/// The cores of either half of a linear layer in tt, merged.
struct TrainHalves {
    int rank = 1;               ///< between them
    std::vector<float> before;  ///< (rank, inputs)
    std::vector<float> after;   ///< (outputs, rank)
};
[[nodiscard]] TrainHalves merged_halves(const FactoredLayer& linear, const FactorWeights& cores);

/// The weights that the cores of a linear layer stand for. (outputs, inputs).
[[nodiscard]] std::vector<float> merged_linear(const FactoredLayer& linear,
                                               const FactorWeights& cores);

/// Whether a deployed network runs this layer as its factors: they have fewer multiply-adds than
/// what they stand for. A linear layer in ttm never does, because its products have to be put into
/// another order between them.
[[nodiscard]] bool runs_as_factors(const FactoredLayer& layer);

}  // namespace edgeloop::inference
