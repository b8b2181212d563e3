#pragma once

#include <array>
#include <cstdint>

namespace edgeloop {

/// Lengths along time, height and width, as designs give them.
using Extent3 = std::array<int, 3>;
/// The same as tensors count.
using Grid3 = std::array<std::int64_t, 3>;

/// Number of positions of a grid.
[[nodiscard]] inline std::int64_t volume(const Grid3& grid) { return grid[0] * grid[1] * grid[2]; }
[[nodiscard]] inline std::int64_t volume(const Extent3& extent) {
    return std::int64_t{1} * extent[0] * extent[1] * extent[2];
}

[[nodiscard]] constexpr std::int64_t ceil_divide(std::int64_t value, std::int64_t by) {
    return (value + by - 1) / by;
}
/// A grid in steps, the last one of each dimension perhaps incomplete.
[[nodiscard]] inline Grid3 ceil_divide(const Grid3& grid, const Extent3& by) {
    return {ceil_divide(grid[0], by[0]), ceil_divide(grid[1], by[1]), ceil_divide(grid[2], by[2])};
}

/// Length of a row of n numbers, rounded up so that rows start aligned to 64 bytes.
[[nodiscard]] constexpr std::int64_t row_stride(std::int64_t n) { return ceil_divide(n, 16) * 16; }

}  // namespace edgeloop
