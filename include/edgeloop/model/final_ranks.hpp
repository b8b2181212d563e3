#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// Shapes of a network's parameters, by name.
using WeightShapes = std::map<std::string, std::vector<std::int64_t>>;

/// A spec with the ranks that its trained weights have as final ones, where they are open; ranks
/// that the weights do not tell are the largest.
[[nodiscard]] ArchitectureSpec with_ranks_of(const WeightShapes& weights, ArchitectureSpec spec);
/// The same of a safetensors file.
/// @throws ConfigError  it is no sound one; IoError  it cannot be read.
[[nodiscard]] ArchitectureSpec with_ranks_of_file(const std::string& file, ArchitectureSpec spec);

}  // namespace edgeloop
