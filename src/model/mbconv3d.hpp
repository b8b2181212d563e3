#pragma once

#include "model/network.hpp"

namespace edgeloop {

/// Inverted residuals with depthwise 3-D convolutions and optional squeeze-excitation; keys in
/// src/model/README.md.
/// Sources: Feichtenhofer, "X3D", CVPR 2020; Kondratyuk et al., "MoViNets", CVPR 2021.
[[nodiscard]] std::shared_ptr<Network> make_mbconv3d(const ArchitectureSpec& spec,
                                                     std::uint64_t seed);

}  // namespace edgeloop
