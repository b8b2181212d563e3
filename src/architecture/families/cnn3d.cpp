#include "edgeloop/architecture/families/cnn3d.hpp"

#include "edgeloop/architecture/layer_list.hpp"

#include <algorithm>
#include <limits>

namespace edgeloop {
namespace {

/// What flows from layer to layer.
struct Flow {
    Grid3 grid;
    int channels;
    bool is_kept;  ///< whoever made it keeps it for its own backward pass
    Input input = Input::clip;
};

/// Convolution, norm, ReLU and pool of one stage.
void count_stage(LayerList& layers, const Cnn3d& network, const FactoredLayers& factors,
                 std::size_t i, Flow& flow) {
    const std::string name = "stages." + std::to_string(i);
    const Cnn3d::Stage& stage = network.stages[i];
    const Bits bits = network.quantisation.of_stage(i);
    Grid3& grid = flow.grid;
    const auto positions = static_cast<double>(volume(grid));
    const double taps = static_cast<double>(volume(stage.kernel)) * flow.channels;
    const std::vector<std::int64_t> shape{stage.channels, grid[0], grid[1], grid[2]};
    if (const FactoredLayer* const factored = factored_as(factors, name + ".conv")) {
        layers.add_chain(name + ".conv", *factored, grid, flow.is_kept, true);
    } else {
        LayerElements conv = linear_elements(positions, taps, stage.channels);
        conv.is_convolution = true;
        conv.input = positions * flow.channels;
        conv.saved = flow.is_kept ? 0 : conv.input;
        conv.working = conv.input + conv.output;
        quantise(conv, network.quantisation, bits, stage.channels, stage.channels, flow.input);
        layers.add(name + ".conv", "conv3d", shape, conv);
    }
    flow.input = Input::activations;
    const std::string norm = network.norm_used();
    if (norm == "affine" || norm == "frozen") {
        LayerElements affine = affine_elements(positions, stage.channels, bits);
        if (norm == "frozen") {  // the norm, and what it freezes to
            affine.parameters *= 2;
            affine.bits_saved *= 2;
        }
        layers.add(name + ".norm", "affine", shape, affine);
    }
    if (norm == "group")
        layers.add(name + ".norm", "group norm", shape,
                   group_norm_elements(positions, stage.channels));
    LayerElements relu = map_elements(positions * stage.channels);
    relu.saved = relu.output;
    layers.add(name, "relu", shape, relu);

    flow.channels = stage.channels;
    flow.is_kept = true;
    if (stage.effective_pool(grid) == Grid3{1, 1, 1}) return;
    flow.is_kept = false;
    grid = stage.pooled(grid);
    LayerElements pool;
    pool.input = relu.output;
    pool.output = static_cast<double>(volume(grid)) * stage.channels;
    pool.saved = 2 * pool.output;  // 64-bit positions of the maxima; its input is saved already
    pool.working = pool.input + pool.output + pool.saved;
    layers.add(name, "max pool", {stage.channels, grid[0], grid[1], grid[2]}, pool);
}

constexpr std::int64_t widest = std::numeric_limits<int>::max();  // none can be trained

Grid3 clip_grid(const ClipShape& clip) { return {clip.frames, clip.side, clip.side}; }

}  // namespace

Grid3 Cnn3d::Stage::effective_pool(const Grid3& grid) const {
    Grid3 result{};
    for (std::size_t d = 0; d < 3; ++d) result[d] = std::min<std::int64_t>(grid[d], pool[d]);
    return result;
}

Grid3 Cnn3d::Stage::pooled(const Grid3& grid) const {
    const Grid3 effective = effective_pool(grid);
    return {grid[0] / effective[0], grid[1] / effective[1], grid[2] / effective[2]};
}

std::int64_t Cnn3d::features(const ClipShape& clip) const {
    const std::int64_t channels = stages.back().channels;
    if (reduce == "mean") return channels;
    Grid3 grid = clip_grid(clip);
    for (const Stage& stage : stages) grid = stage.pooled(grid);
    return channels * volume(grid);
}

std::vector<TensorLayer> Cnn3d::tensor_layers(const ClipShape& clip) const {
    std::vector<TensorLayer> layers;
    int channels = 1;
    for (std::size_t i = 0; i < stages.size(); ++i) {
        layers.push_back({"stages." + std::to_string(i) + ".conv", i, false, channels,
                          stages[i].channels, stages[i].kernel});
        channels = stages[i].channels;
    }
    auto width = static_cast<int>(std::min<std::int64_t>(features(clip), widest));
    for (std::size_t i = 0; i < hidden.size(); ++i) {
        layers.push_back(
            {"hidden." + std::to_string(i), TensorLayer::dense, true, width, hidden[i]});
        width = hidden[i];
    }
    return layers;
}

Bits Cnn3d::bits_after_stages() const {
    return hidden.empty() ? quantisation.of_last() : quantisation.of_dense();
}

bool Cnn3d::rounds_features() const {
    return reduce == "mean" && bits_after_stages().activations != Bits::none;
}

std::optional<std::string> Cnn3d::problem() const {
    const auto& bits = quantisation.stages;
    if (norm == "group" &&
        !std::all_of(bits.begin(), bits.end(), [](const Bits& one) { return one.is_float(); }))
        return "quantised stages need a norm that folds into the convolution: affine, frozen or "
               "none, not group";
    const auto has_integers = [](const Bits& one) {
        return one.weights != Bits::none && one.activations != Bits::none;
    };
    if (norm == "frozen" && !std::all_of(bits.begin(), bits.end(), has_integers))
        return "the norm frozen needs stages that are all quantised, or a network of float32";
    return std::nullopt;
}

ModelCounts Cnn3d::count(const ClipShape& clip) const {
    LayerList layers;
    Flow flow{clip_grid(clip), 1, true};  // the clip is not an activation
    const FactoredLayers factors = factored_layers(low_rank, tensor_layers(clip));
    for (std::size_t i = 0; i < stages.size(); ++i) count_stage(layers, *this, factors, i, flow);
    std::int64_t width = features(clip);
    // A flat view of what is kept anyway costs nothing; what dropout leaves and a mean averages
    // does.
    const bool is_mean = reduce == "mean";
    if (rounds_features())
        layers.add("features", "rounding",
                   {flow.channels, flow.grid[0], flow.grid[1], flow.grid[2]},
                   rounding_elements(static_cast<double>(volume(flow.grid)) * flow.channels));
    const bool is_view = !is_mean && dropout == 0 && flow.is_kept;
    double more_saved = (is_view ? -1.0 : 0.0) * static_cast<double>(width);
    if (dropout > 0) more_saved += static_cast<double>(width);
    if (is_mean && !flow.is_kept)
        more_saved += layers.kept_by_mean(static_cast<double>(volume(flow.grid)) * flow.channels);
    for (std::size_t i = 0; i < hidden.size(); ++i) {
        const std::string layer = "hidden." + std::to_string(i);
        if (const FactoredLayer* const factored = factored_as(factors, layer))
            layers.add_dense(layer, *factored, more_saved);
        else
            layers.add_dense(layer, width, hidden[i], more_saved, quantisation,
                             quantisation.of_dense());
        width = hidden[i];
        more_saved = 0;
    }
    layers.add_dense("output", width, 2, more_saved, quantisation, quantisation.of_last());
    return std::move(layers).total();
}

}  // namespace edgeloop
