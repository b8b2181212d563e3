#pragma once

#include "model/network.hpp"

namespace edgeloop {

/// Plain 3-D convolutional network; keys in src/model/README.md.
[[nodiscard]] std::shared_ptr<Network> make_cnn3d(const ArchitectureSpec& spec, std::uint64_t seed);

}  // namespace edgeloop
