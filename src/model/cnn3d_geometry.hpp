#pragma once

#include "model/swin3d_geometry.hpp"

#include <algorithm>

namespace edgeloop {

/// Pool sizes that fit: a dimension smaller than its pool is pooled whole.
[[nodiscard]] inline Grid3 effective_pool(const Grid3& grid, const Extent3& pool) {
    Grid3 result{};
    for (std::size_t d = 0; d < 3; ++d) result[d] = std::min<std::int64_t>(grid[d], pool[d]);
    return result;
}

/// Grid after pooling; an incomplete pool at the end is dropped.
[[nodiscard]] inline Grid3 pooled_grid(const Grid3& grid, const Extent3& pool) {
    const Grid3 effective = effective_pool(grid, pool);
    return {grid[0] / effective[0], grid[1] / effective[1], grid[2] / effective[2]};
}

/// Inputs of the first fully connected layer.
[[nodiscard]] inline std::int64_t cnn3d_features(const Cnn3dConfig& config, const ClipShape& clip) {
    const std::int64_t channels = config.stages.back().channels;
    if (config.reduce == Cnn3dConfig::Reduce::mean) return channels;
    Grid3 grid{clip.frames, clip.side, clip.side};
    for (const Cnn3dConfig::Stage& stage : config.stages) grid = pooled_grid(grid, stage.pool);
    return channels * grid[0] * grid[1] * grid[2];
}

}  // namespace edgeloop
