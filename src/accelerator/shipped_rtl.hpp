#pragma once

#include "edgeloop/core/shipped.hpp"

#include <vector>

namespace edgeloop::accelerator {

/// The files of src/accelerator/rtl/: what all designs have in common.
[[nodiscard]] const std::vector<ShippedFile>& shipped_rtl();

}  // namespace edgeloop::accelerator
