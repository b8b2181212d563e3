#pragma once

#include "model/network.hpp"

#include <cstdint>

namespace edgeloop {

/// Gives a network one output for each of so many targets instead of its two, with initial weights
/// of their own; nothing changes when it has as many. Before it is moved to a device.
void set_outputs(Network& network, std::int64_t outputs, std::uint64_t seed);

}  // namespace edgeloop
