#include "model/cnn3d_geometry.hpp"
#include "model/layer_list.hpp"

namespace edgeloop {
namespace {

/// What flows from layer to layer.
struct Flow {
    Grid3 grid;
    std::int64_t channels;
    bool is_kept;  ///< whoever made it keeps it for its own backward pass
};

/// Convolution, norm, ReLU and pool of one stage.
void count_stage(LayerList& layers, const std::string& name, const Cnn3dConfig::Stage& stage,
                 Cnn3dConfig::Norm norm, Flow& flow) {
    const std::int64_t inputs = flow.channels;
    Grid3& grid = flow.grid;
    const std::int64_t positions = volume(grid);
    const std::int64_t channels = stage.channels;
    const std::vector<std::int64_t> shape{channels, grid[0], grid[1], grid[2]};
    LayerElements conv = linear_elements(positions, inputs * volume(stage.kernel), channels);
    conv.is_convolution = true;
    conv.input = positions * inputs;
    conv.saved = flow.is_kept ? 0 : conv.input;
    conv.working = conv.input + conv.output;
    layers.add(name + ".conv", "conv3d", shape, conv);

    LayerElements map;
    map.input = map.output = positions * channels;
    map.working = map.input + map.output;
    if (norm == Cnn3dConfig::Norm::group) {
        LayerElements group = map;
        group.parameters = 2 * channels;
        group.saved = group.input + 2 * norm_groups(stage.channels);
        layers.add(name + ".norm", "group norm", shape, group);
    }
    map.saved = map.output;
    layers.add(name, "relu", shape, map);

    flow.channels = channels;
    flow.is_kept = true;
    if (effective_pool(grid, stage.pool) == Grid3{1, 1, 1}) return;
    flow.is_kept = false;
    grid = pooled_grid(grid, stage.pool);
    LayerElements pool;
    pool.input = positions * channels;
    pool.output = volume(grid) * channels;
    pool.saved = 2 * pool.output;  // 64-bit positions of the maxima; its input is saved already
    pool.working = pool.input + pool.output + pool.saved;
    layers.add(name, "max pool", {channels, grid[0], grid[1], grid[2]}, pool);
}

/// @param saved  of its input.
void count_fully_connected(LayerList& layers, const std::string& name, std::int64_t inputs,
                           std::int64_t outputs, std::int64_t saved) {
    LayerElements elements = linear_elements(1, inputs, outputs);
    elements.saved = saved;
    elements.working = inputs + outputs;
    layers.add(name, "linear", {outputs}, elements);
}

}  // namespace

ModelCounts count_cnn3d(const ArchitectureSpec& spec) {
    const Cnn3dConfig config = cnn3d_config(spec);
    LayerList layers;
    // The clip is not an activation.
    Flow flow{{spec.clip.frames, spec.clip.side, spec.clip.side}, 1, true};
    for (std::size_t i = 0; i < config.stages.size(); ++i)
        count_stage(layers, "stages." + std::to_string(i), config.stages[i], config.norm, flow);
    std::int64_t width = cnn3d_features(config, spec.clip);
    const bool is_mean = config.reduce == Cnn3dConfig::Reduce::mean;
    const bool is_flat_view = !is_mean && config.dropout == 0;
    std::int64_t saved = is_flat_view && flow.is_kept ? 0 : width;
    if (config.dropout > 0) saved += width;  // what was dropped
    if (is_mean && !flow.is_kept) saved += kept_by_mean(volume(flow.grid) * flow.channels);
    for (std::size_t i = 0; i < config.hidden.size(); ++i) {
        count_fully_connected(layers, "hidden." + std::to_string(i), width, config.hidden[i],
                              saved);
        width = saved = config.hidden[i];
    }
    count_fully_connected(layers, "output", width, 2, saved);
    return std::move(layers).total();
}

}  // namespace edgeloop
