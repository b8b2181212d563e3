#pragma once

#include "edgeloop/data/target.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// Sums over validation samples from which all metrics follow; sums of ranks add up.
struct RegressionSums {
    explicit RegressionSums(std::vector<Target> wanted)
        : targets(std::move(wanted)), values(1 + 3 * targets.size()) {}

    std::vector<Target> targets;
    /// count; then for each target: squared error, target, squared target. Normalised units.
    std::vector<double> values;

    /// @param predicted, expected  (count, targets), divided by their scales.
    void add(const float* predicted, const float* expected, std::size_t count);

    /// val_rmse; for each target val_rmse_<name>_<unit> in its unit and r2_<name>. A coefficient of
    /// determination whose target does not vary is left out. REQUIRES: at least one sample.
    [[nodiscard]] Metrics metrics() const;
};

}  // namespace edgeloop
