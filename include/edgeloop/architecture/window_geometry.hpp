#pragma once

#include "edgeloop/architecture/grid.hpp"

#include <cstdint>
#include <vector>

namespace edgeloop {

/// How a grid of tokens is cut into attention windows.
///
/// A dimension not larger than its window is one window without shift; the others are padded at
/// the end to a multiple of the window.
struct WindowGeometry {
    Grid3 grid{};         ///< tokens
    Grid3 window{};       ///< after clipping to the grid
    Grid3 shift{};        ///< 0 where the window was clipped
    Grid3 padded{};       ///< grid rounded up to whole windows
    Grid3 full_window{};  ///< before clipping: what the bias table is laid out for

    [[nodiscard]] std::int64_t tokens() const { return volume(grid); }
    [[nodiscard]] std::int64_t window_tokens() const { return volume(window); }
    [[nodiscard]] std::int64_t windows() const { return volume(padded) / volume(window); }
    [[nodiscard]] bool is_shifted() const { return shift[0] > 0 || shift[1] > 0 || shift[2] > 0; }
    /// Rows of the relative position bias table.
    [[nodiscard]] std::int64_t table_rows() const;
    /// Row of the table for a pair of tokens is position_code(i) - position_code(j) +
    /// code_offset(). Tokens are numbered as in the full window even when the window was clipped,
    /// as in the original code. Shape (window_tokens).
    [[nodiscard]] std::vector<std::int32_t> position_codes() const;
    [[nodiscard]] std::int32_t code_offset() const;
    /// Region of a padded position along one dimension; tokens of different regions of a shifted
    /// grid must not see each other.
    [[nodiscard]] int region(int dimension, std::int64_t position) const;
};

[[nodiscard]] WindowGeometry window_geometry(const Grid3& grid, const Extent3& window,
                                             bool shifted);

}  // namespace edgeloop
