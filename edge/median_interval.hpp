#pragma once

#include <optional>
#include <vector>

namespace edgeloop {

/// Fewest independent values of which the lowest and the highest enclose the median in 95 of 100
/// cases.
constexpr int fewest_for_interval = 6;

/// Where the long-run median lies in at least 95 of 100 measurements.
struct MedianInterval {
    double low = 0, high = 0;
    double independent = 0;  ///< so many independent values would say as much
    /// The values change more slowly than they were watched (independent < fewest_for_interval), so
    /// the interval is an estimate: three times as wide as what was seen.
    bool watched_too_short = false;
};

/// The interval by order statistics, which needs no assumption about how the values are
/// distributed. Successive values may depend on each other (a clock that moves, a neighbour that
/// comes and goes): how the share of values below the median varies between batches of them says
/// how many independent ones they are worth, and these give the ranks of the bounds.
///
/// @param in_order  as they came about.
/// @return nothing for fewer than fewest_for_interval values.
/// Complexity: O(n log n).
[[nodiscard]] std::optional<MedianInterval> median_interval(const std::vector<double>& in_order);

}  // namespace edgeloop
