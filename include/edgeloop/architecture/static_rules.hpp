#pragma once

#include "edgeloop/architecture/design.hpp"

#include <optional>
#include <string>

namespace edgeloop {

/// What a design may cost at most. Beyond the defaults no machine this project knows could train
/// it; spaces set tighter limits.
struct StaticLimits {
    double parameters = 2e9;
    double training_memory_mib = 512 * 1024;  ///< training_bytes()
};

/// Why this design can't be built and trained although every value by itself is legal, or nothing:
/// widths that heads do not divide, more than the limits.
[[nodiscard]] std::optional<std::string> static_problem(const Design& design,
                                                        const StaticLimits& limits = {});

}  // namespace edgeloop
