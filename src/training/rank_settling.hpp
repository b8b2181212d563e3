#pragma once

#include "model/network.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"

#include <string>
#include <vector>

#include <torch/optim.h>

namespace edgeloop {

/// The forms of a spec with these ranks for the layers that have them open.
/// @throws CorruptState  they are not of those layers, naming `where`.
[[nodiscard]] LowRank checked_ranks(const ArchitectureSpec& spec, const std::vector<Ranks>& ranks,
                                    const std::string& where);

/// Sets the learning rate of the scales of bonds.
void set_scale_rate(torch::optim::Optimizer& optimizer, const Network& network, double rate);

}  // namespace edgeloop
