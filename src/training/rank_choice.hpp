#pragma once

#include "canonical_form.hpp"
#include "model/factored_module.hpp"

#include "edgeloop/architecture/low_rank.hpp"

#include <cstdint>
#include <vector>

namespace edgeloop {

/// Weights of a layer with these ranks.
[[nodiscard]] std::int64_t size_with(const FactoredLayer& layer, const Ranks& ranks);

/// Layers with the indices that are worth keeping in the canonical form of each. Where a group has
/// a target, the least worth of all its layers go until it is met; each bond keeps its best.
[[nodiscard]] std::vector<CanonicalForm> chosen_forms(const LowRank& low_rank,
                                                      const std::vector<FactoredModule*>& layers);

}  // namespace edgeloop
