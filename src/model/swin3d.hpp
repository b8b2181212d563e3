#pragma once

#include "model/network.hpp"

namespace edgeloop {

/// Video Swin transformer with a regression head; keys and parameter names in src/model/README.md.
/// Source: Liu et al., "Video Swin Transformer", CVPR 2022.
[[nodiscard]] std::shared_ptr<Network> make_swin3d(const ArchitectureSpec& spec,
                                                   std::uint64_t seed);

}  // namespace edgeloop
