#pragma once

#include "model/network.hpp"

#include "edgeloop/model/native.hpp"

namespace edgeloop {

/// The same of a network of this spec as it is, of float32 or float64.
[[nodiscard]] inference::Graph native_graph(const ArchitectureSpec& spec, Network& network);

}  // namespace edgeloop
