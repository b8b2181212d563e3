#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <array>
#include <cstddef>

namespace edgeloop {

/// Sums over validation samples from which all metrics follow; sums of ranks add up.
struct RegressionSums {
    /// count; then for speed and power: squared error, target, squared target. Normalised units.
    std::array<double, 7> values{};

    /// @param predicted, target  (count, 2): speed/900, power/215.
    void add(const float* predicted, const float* target, std::size_t count);

    /// val_rmse, val_rmse_speed_mm_s, val_rmse_power_w, r2_speed, r2_power. A coefficient of
    /// determination whose target does not vary is left out. REQUIRES: at least one sample.
    [[nodiscard]] Metrics metrics() const;
};

}  // namespace edgeloop
