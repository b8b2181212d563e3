#pragma once

#include "model/factored_module.hpp"

#include "edgeloop/architecture/low_rank.hpp"

#include <cstdint>
#include <vector>

#include <torch/types.h>

namespace edgeloop {

/// Which indices of each bond of a layer stay, ascending; one at least.
using KeptIndices = std::vector<std::vector<std::int64_t>>;

/// Of a slice, over the largest of its bond, below which it counts as nothing.
constexpr double least_variance = 1e-3;

/// Sum of squares of a core over everything but this dimension.
[[nodiscard]] torch::Tensor squares(const torch::Tensor& core, std::int64_t dimension);

/// Variances of the slices of a bond, one for each index, that are most likely under a prior: the
/// log-uniform one or the half-Cauchy one.
[[nodiscard]] torch::Tensor likely_variances(const FactoredModule& layer, const Bond& bond,
                                             bool is_half_cauchy);

/// Weights of a layer with these ranks.
[[nodiscard]] std::int64_t size_with(const FactoredLayer& layer, const Ranks& ranks);

/// Indices that are worth keeping: those whose scale is not nothing, or whose variance is not.
/// Where a group has a target, the least worth of all its layers go until it is met.
[[nodiscard]] std::vector<KeptIndices> chosen_indices(const LowRank& low_rank,
                                                      const std::vector<FactoredModule*>& layers);

}  // namespace edgeloop
