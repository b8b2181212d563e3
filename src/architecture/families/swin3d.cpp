#include "edgeloop/architecture/families/swin3d.hpp"

#include "edgeloop/architecture/layer_list.hpp"
#include "edgeloop/architecture/window_geometry.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Walks a Video Swin transformer layer by layer, as the fused kernels run it.
class SwinCounter {
  public:
    SwinCounter(const Swin3d& network, const ClipShape& clip)
        : network_(network),
          factors_(factored_layers(network.low_rank, network.tensor_layers(clip))),
          grid_(ceil_divide({clip.frames, clip.side, clip.side}, network.patch)) {}

    [[nodiscard]] ModelCounts run() && {
        patch_embed();
        for (std::size_t stage = 0; stage < network_.depths.size(); ++stage) {
            for (int i = 0; i < network_.depths[stage]; ++i)
                block(stage, i % 2 == 1,
                      "layers." + std::to_string(stage) + ".blocks." + std::to_string(i));
            if (stage + 1 < network_.depths.size()) patch_merging(stage);
        }
        head();
        return std::move(layers_).total();
    }

  private:
    [[nodiscard]] std::vector<std::int64_t> tokens_of(std::int64_t channels) const {
        return {grid_[0], grid_[1], grid_[2], channels};
    }

    [[nodiscard]] double rows() const { return static_cast<double>(volume(grid_)); }

    void norm(const std::string& name, int channels) {
        LayerElements elements = map_elements(rows() * channels);
        elements.parameters = 2.0 * channels;
        elements.saved = elements.input + 2 * rows();  // its input, mean and deviation
        layers_.add(name, "layer norm", tokens_of(channels), elements);
    }

    void patch_embed() {
        const auto pixels = static_cast<double>(volume(network_.patch));
        LayerElements elements = linear_elements(rows(), pixels, network_.embed_dim);
        elements.is_convolution = true;
        elements.saved = elements.input;
        quantise(elements, network_.quantisation, network_.quantisation.of_first(),
                 network_.embed_dim, network_.embed_dim, Input::clip);
        layers_.add("patch_embed.proj", "patch embedding", tokens_of(network_.embed_dim), elements);
    }

    void block(std::size_t stage, bool shifted, const std::string& name) {
        const int channels = network_.width(stage), hidden = network_.mlp_width(stage);
        const double residual = rows() * channels;
        bits_ = network_.quantisation.of_stage(stage);
        norm(name + ".norm1", channels);
        linear(name + ".attn.qkv", channels, 3 * channels, residual, 0);
        attention(name + ".attn", stage, shifted);
        // Stochastic depth keeps one number per clip and branch; the first block is never dropped.
        const double dropped = network_.drop_path > 0 && blocks_++ > 0 ? 1 : 0;
        linear(name + ".attn.proj", channels, channels, residual, dropped, From::attention);
        norm(name + ".norm2", channels);
        linear(name + ".mlp.fc1", channels, hidden, residual, rows() * hidden);
        linear(name + ".mlp.fc2", hidden, channels, residual, dropped);
    }

    enum class From { layer, attention };
    void linear(const std::string& name, int inputs, int outputs, double alive, double saved,
                From from = From::layer) {
        if (const FactoredLayer* const factored = factored_as(factors_, name)) {
            LayerElements train = train_elements(*factored, rows());
            // The layer before it is not fused with it; attention keeps its result anyway.
            train.saved += saved + (from == From::attention ? 0 : train.input);
            train.working += alive;
            layers_.add(name, factored->format + " linear", tokens_of(outputs), train);
            return;
        }
        LayerElements elements = linear_elements(rows(), inputs, outputs);
        elements.saved = saved;
        elements.working = alive + elements.input + elements.output;
        // The fused layers around it give way to plain ones, which keep what lies between.
        if (!bits_.is_float()) elements.saved += elements.input;
        quantise(elements, network_.quantisation, bits_, outputs, outputs);
        layers_.add(name, "linear", tokens_of(outputs), elements);
    }

    void attention(const std::string& name, std::size_t stage, bool shifted) {
        const WindowGeometry geometry = window_geometry(grid_, network_.window, shifted);
        const double heads = network_.heads[stage], channels = network_.width(stage);
        const auto n = static_cast<double>(geometry.window_tokens());
        const double padded_rows = static_cast<double>(geometry.windows()) * n;
        LayerElements elements;
        elements.parameters = static_cast<double>(geometry.table_rows()) * heads;
        elements.flops = 4 * padded_rows * n * channels;
        elements.input = 3 * rows() * channels;
        elements.output = rows() * channels;
        // Queries, keys, values, result, and one logarithm of a sum per query.
        elements.saved = 4 * rows() * channels + padded_rows * heads;
        // With the residual, and the bias of every pair of a window's tokens.
        const auto row = static_cast<double>(row_stride(geometry.window_tokens()));
        elements.working = rows() * channels + elements.input + elements.output + heads * n * row;
        layers_.add(name, shifted ? "shifted window attention" : "window attention",
                    tokens_of(network_.width(stage)), elements);
    }

    void patch_merging(std::size_t stage) {
        const int channels = network_.width(stage);
        const std::string name = "layers." + std::to_string(stage) + ".downsample.";
        grid_ = ceil_divide(grid_, {1, 2, 2});
        norm(name + "norm", 4 * channels);
        LayerElements elements = linear_elements(rows(), 4 * channels, 2 * channels, false);
        if (!bits_.is_float()) elements.saved += elements.input;
        quantise(elements, network_.quantisation, bits_, 2 * channels, 0);
        layers_.add(name + "reduction", "linear", tokens_of(2 * channels), elements);
    }

    void head() {
        const int width = network_.width(network_.depths.size() - 1);
        const auto [first, second] = network_.head_hidden;
        norm("norm", width);
        const Quantisation& quantisation = network_.quantisation;
        layers_.add_dense("head.fc_cls", width, first,
                          layers_.kept_by_mean(rows() * width) + (network_.dropout > 0 ? width : 0),
                          quantisation, quantisation.of_dense());
        layers_.add_dense("linear_layers.0", first, second, 0, quantisation,
                          quantisation.of_dense());
        layers_.add_dense("linear_layers.2", second, 2, 0, quantisation, quantisation.of_last());
    }

    const Swin3d& network_;
    FactoredLayers factors_;
    Grid3 grid_;
    int blocks_ = 0;          ///< counted so far
    Bits bits_ = float_bits;  ///< of the stage at hand
    LayerList layers_;
};

}  // namespace

std::vector<TensorLayer> Swin3d::tensor_layers(const ClipShape&) const {
    std::vector<TensorLayer> layers;
    for (std::size_t stage = 0; stage < depths.size(); ++stage)
        for (int i = 0; i < depths[stage]; ++i) {
            const std::string block =
                "layers." + std::to_string(stage) + ".blocks." + std::to_string(i);
            const auto add = [&](const char* place, int inputs, int outputs) {
                layers.push_back({block + place, stage, true, inputs, outputs});
            };
            add(".attn.qkv", width(stage), 3 * width(stage));
            add(".attn.proj", width(stage), width(stage));
            add(".mlp.fc1", width(stage), mlp_width(stage));
            add(".mlp.fc2", mlp_width(stage), width(stage));
        }
    return layers;
}

std::optional<std::string> Swin3d::problem() const {
    if (quantisation.dense.activations == 1 ||
        std::any_of(quantisation.stages.begin(), quantisation.stages.end(),
                    [](const Bits& bits) { return bits.activations == 1; }))
        return "activations of 1 bit have one sign, and tokens have two: 2 bits are the fewest of "
               "a "
               "swin3d's stages and dense layers";
    if (heads.size() != depths.size())
        return fmt::format("depths has {} stages but heads has {}", depths.size(), heads.size());
    for (std::size_t i = 0; i < heads.size(); ++i) {
        if (width(i) % heads[i] != 0)
            return fmt::format("heads {} of stage {} do not divide its width {}", heads[i], i,
                               width(i));
        if (mlp_width(i) < 1)
            return fmt::format("mlp_ratio {} leaves stage {} of width {} no hidden channel",
                               mlp_ratio, i, width(i));
    }
    return std::nullopt;
}

ModelCounts Swin3d::count(const ClipShape& clip) const { return SwinCounter(*this, clip).run(); }

}  // namespace edgeloop
