#include "model/cnn3d_geometry.hpp"
#include "model/layer_list.hpp"

namespace edgeloop {
namespace {

/// Convolution, norm, ReLU and pool of one stage; moves `grid` on and returns the output channels.
std::int64_t count_stage(LayerList& layers, const std::string& name, std::int64_t inputs,
                         const Cnn3dConfig::Stage& stage, Cnn3dConfig::Norm norm, Grid3& grid) {
    const std::int64_t positions = volume(grid);
    const std::int64_t channels = stage.channels;
    const std::vector<std::int64_t> shape{channels, grid[0], grid[1], grid[2]};
    LayerElements conv = linear_elements(positions, inputs * volume(stage.kernel), channels);
    conv.is_convolution = true;
    conv.input = positions * inputs;
    conv.saved = inputs == 1 ? 0 : conv.input;  // the clip is not an activation
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

    const Grid3 pooled = pooled_grid(grid, stage.pool);
    if (pooled == grid) return channels;
    grid = pooled;
    LayerElements pool;
    pool.input = positions * channels;
    pool.output = volume(grid) * channels;
    pool.saved = 2 * pool.output;  // 64-bit positions of the maxima; its input is saved already
    pool.working = pool.input + pool.output + pool.saved;
    layers.add(name, "max pool", {channels, grid[0], grid[1], grid[2]}, pool);
    return channels;
}

void count_fully_connected(LayerList& layers, const std::string& name, std::int64_t inputs,
                           std::int64_t outputs) {
    LayerElements elements = linear_elements(1, inputs, outputs);
    elements.saved = inputs;
    elements.working = inputs + outputs;
    layers.add(name, "linear", {outputs}, elements);
}

}  // namespace

ModelCounts count_cnn3d(const ArchitectureSpec& spec) {
    const Cnn3dConfig config = cnn3d_config(spec);
    LayerList layers;
    Grid3 grid{spec.clip.frames, spec.clip.side, spec.clip.side};
    std::int64_t channels = 1;
    for (std::size_t i = 0; i < config.stages.size(); ++i)
        channels = count_stage(layers, "stages." + std::to_string(i), channels, config.stages[i],
                               config.norm, grid);
    std::int64_t width = cnn3d_features(config, spec.clip);
    for (std::size_t i = 0; i < config.hidden.size(); ++i) {
        count_fully_connected(layers, "hidden." + std::to_string(i), width, config.hidden[i]);
        width = config.hidden[i];
    }
    count_fully_connected(layers, "output", width, 2);
    return std::move(layers).total();
}

}  // namespace edgeloop
