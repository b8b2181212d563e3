#pragma once

#include <algorithm>
#include <vector>

namespace edgeloop {

/// Linear interpolation between order statistics: R's type 7, NumPy's default.
/// @param sorted  ascending, not empty.   @param q  from 0 to 1.
[[nodiscard]] inline double quantile(const std::vector<double>& sorted, double q) {
    const double place = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// REQUIRES: values, in any order.
[[nodiscard]] inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return quantile(values, 0.5);
}

}  // namespace edgeloop
