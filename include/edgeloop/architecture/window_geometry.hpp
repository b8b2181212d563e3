#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
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

    [[nodiscard]] std::int64_t tokens() const { return grid[0] * grid[1] * grid[2]; }
    [[nodiscard]] std::int64_t window_tokens() const { return window[0] * window[1] * window[2]; }
    [[nodiscard]] std::int64_t windows() const {
        return padded[0] * padded[1] * padded[2] / window_tokens();
    }
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

/// Token grid after patch embedding: whole patches, the last one padded.
[[nodiscard]] Grid3 patch_grid(const ClipShape& clip, const Extent3& patch);
/// Token grid after patch merging: height and width halved, rounded up.
[[nodiscard]] Grid3 merged_grid(const Grid3& grid);

}  // namespace edgeloop
