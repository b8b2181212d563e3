#include "edgeloop/architecture/window_geometry.hpp"

namespace edgeloop {

std::int64_t WindowGeometry::table_rows() const {
    return (2 * full_window[0] - 1) * (2 * full_window[1] - 1) * (2 * full_window[2] - 1);
}

std::vector<std::int32_t> WindowGeometry::position_codes() const {
    const std::int64_t rows = 2 * full_window[1] - 1;
    const std::int64_t columns = 2 * full_window[2] - 1;
    std::vector<std::int32_t> codes(static_cast<std::size_t>(window_tokens()));
    for (std::int64_t token = 0; token < window_tokens(); ++token) {
        const std::int64_t time = token / (full_window[1] * full_window[2]);
        const std::int64_t row = token / full_window[2] % full_window[1];
        const std::int64_t column = token % full_window[2];
        codes[static_cast<std::size_t>(token)] =
            static_cast<std::int32_t>((time * rows + row) * columns + column);
    }
    return codes;
}

std::int32_t WindowGeometry::code_offset() const {
    return static_cast<std::int32_t>(
        ((full_window[0] - 1) * (2 * full_window[1] - 1) + full_window[1] - 1) *
            (2 * full_window[2] - 1) +
        full_window[2] - 1);
}

int WindowGeometry::region(int dimension, std::int64_t position) const {
    const auto d = static_cast<std::size_t>(dimension);
    if (shift[d] == 0 || position < padded[d] - window[d]) return 0;
    return position < padded[d] - shift[d] ? 1 : 2;
}

WindowGeometry window_geometry(const Grid3& grid, const Extent3& window, bool shifted) {
    WindowGeometry geometry;
    geometry.grid = grid;
    for (std::size_t d = 0; d < 3; ++d) {
        const bool clipped = grid[d] <= window[d];
        geometry.full_window[d] = window[d];
        geometry.window[d] = clipped ? grid[d] : window[d];
        geometry.shift[d] = shifted && !clipped ? window[d] / 2 : 0;
        geometry.padded[d] = ceil_divide(grid[d], geometry.window[d]) * geometry.window[d];
    }
    return geometry;
}

}  // namespace edgeloop
