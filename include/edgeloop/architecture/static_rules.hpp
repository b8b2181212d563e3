#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// The network families a spec may name: swin3d, cnn3d, mbconv3d.
[[nodiscard]] const std::vector<std::string>& known_families();

/// Why this design can't be built although every value by itself is legal, or nothing: widths that
/// heads do not divide, shapes that shrink to nothing, more memory than any machine has.
[[nodiscard]] std::optional<std::string> static_problem(const ArchitectureSpec& spec);

/// A quick estimate of what a design costs, for limits before anything is built. The exact counters
/// are in edgeloop/model.
struct CostEstimate {
    double parameters = 0;           ///< exact for swin3d and cnn3d, within 10 % for mbconv3d
    double training_memory_mib = 0;  ///< weights, gradients, Adam's moments, activations; within 3x
};
/// REQUIRES: a spec without static_problem.
[[nodiscard]] CostEstimate estimate_cost(const ArchitectureSpec& spec);

}  // namespace edgeloop
