#pragma once

#include <algorithm>
#include <functional>
#include <vector>

namespace edgeloop {

/// Objectives, minimised. REQUIRES in all of these: equal lengths, no NaN.
using Point = std::vector<double>;
/// Shape (points, objectives).
using Points = std::vector<Point>;

/// Whether a is at least as good as b in every objective.
[[nodiscard]] inline bool weakly_dominates(const Point& a, const Point& b) {
    return std::equal(a.begin(), a.end(), b.begin(), std::less_equal<>());
}

/// Whether a is also better in one.
[[nodiscard]] inline bool dominates(const Point& a, const Point& b) {
    return weakly_dominates(a, b) && a != b;
}

/// Whether a is better in every objective.
[[nodiscard]] inline bool strictly_dominates(const Point& a, const Point& b) {
    return std::equal(a.begin(), a.end(), b.begin(), std::less<>());
}

}  // namespace edgeloop
