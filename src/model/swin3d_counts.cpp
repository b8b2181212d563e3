#include "model/kernels/attention_kernels.hpp"
#include "model/layer_list.hpp"

namespace edgeloop {
namespace {

/// Walks a Video Swin transformer layer by layer, as the fused kernels run it.
class Swin3dCounter {
  public:
    explicit Swin3dCounter(const ArchitectureSpec& spec)
        : config_(swin3d_config(spec)), clip_(spec.clip), grid_(patch_grid(clip_, config_.patch)) {}

    [[nodiscard]] ModelCounts run() && {
        patch_embed();
        for (std::size_t stage = 0; stage < config_.depths.size(); ++stage) {
            for (int i = 0; i < config_.depths[stage]; ++i)
                block(stage, i % 2 == 1,
                      "layers." + std::to_string(stage) + ".blocks." + std::to_string(i));
            if (stage + 1 < config_.depths.size()) patch_merging(stage);
        }
        head();
        return std::move(layers_).total();
    }

  private:
    [[nodiscard]] std::vector<std::int64_t> tokens_of(std::int64_t channels) const {
        return {grid_[0], grid_[1], grid_[2], channels};
    }

    void norm(const std::string& name, std::int64_t rows, std::int64_t channels,
              std::int64_t alive) {
        LayerElements elements;
        elements.parameters = 2 * channels;
        elements.input = elements.output = rows * channels;
        elements.saved = rows * channels + 2 * rows;  // its input, mean and deviation
        elements.working = alive + elements.input + elements.output;
        layers_.add(name, "layer norm", tokens_of(channels), elements);
    }

    void patch_embed() {
        const std::int64_t rows = volume(grid_);
        LayerElements elements = linear_elements(rows, volume(config_.patch), config_.embed_dim);
        elements.is_convolution = true;
        elements.saved = elements.input;
        elements.working = elements.input + elements.output;
        layers_.add("patch_embed.proj", "patch embedding", tokens_of(config_.embed_dim), elements);
    }

    void block(std::size_t stage, bool shifted, const std::string& name) {
        const std::int64_t channels = config_.width(stage);
        const std::int64_t rows = volume(grid_);
        const std::int64_t residual = rows * channels;
        norm(name + ".norm1", rows, channels, 0);
        linear(name + ".attn.qkv", rows, channels, 3 * channels, residual, 0);
        attention(name + ".attn", stage, shifted);
        // Stochastic depth keeps one number per clip and branch; the first block is never dropped.
        const std::int64_t dropped = config_.drop_path > 0 && blocks_++ > 0 ? 1 : 0;
        linear(name + ".attn.proj", rows, channels, channels, residual, dropped);
        norm(name + ".norm2", rows, channels, 0);
        const std::int64_t hidden = config_.mlp_width(stage);
        linear(name + ".mlp.fc1", rows, channels, hidden, residual, rows * hidden);
        linear(name + ".mlp.fc2", rows, hidden, channels, residual, dropped);
    }

    void linear(const std::string& name, std::int64_t rows, std::int64_t inputs,
                std::int64_t outputs, std::int64_t alive, std::int64_t saved) {
        LayerElements elements = linear_elements(rows, inputs, outputs);
        elements.saved = saved;
        elements.working = alive + elements.input + elements.output;
        layers_.add(name, "linear", tokens_of(outputs), elements);
    }

    void attention(const std::string& name, std::size_t stage, bool shifted) {
        const WindowGeometry geometry = window_geometry(grid_, config_.window, shifted);
        const std::int64_t channels = config_.width(stage);
        const std::int64_t rows = volume(grid_);
        const std::int64_t n = geometry.window_tokens();
        LayerElements elements;
        elements.parameters = geometry.table_rows() * config_.heads[stage];
        elements.flops = 4 * geometry.windows() * n * n * channels;
        elements.input = 3 * rows * channels;
        elements.output = rows * channels;
        // Queries, keys, values, result, and one logarithm of a sum per query.
        elements.saved = 4 * rows * channels + geometry.windows() * n * config_.heads[stage];
        // With the residual, and the bias of every pair of a window's tokens.
        elements.working = rows * channels + elements.input + elements.output +
                           config_.heads[stage] * n * kernels::row_stride(n);
        layers_.add(name, shifted ? "shifted window attention" : "window attention",
                    tokens_of(channels), elements);
    }

    void patch_merging(std::size_t stage) {
        const std::int64_t channels = config_.width(stage);
        const std::string name = "layers." + std::to_string(stage) + ".downsample.";
        grid_ = merged_grid(grid_);
        const std::int64_t rows = volume(grid_);
        norm(name + "norm", rows, 4 * channels, 0);
        LayerElements elements = linear_elements(rows, 4 * channels, 2 * channels, false);
        elements.working = elements.input + elements.output;
        layers_.add(name + "reduction", "linear", tokens_of(2 * channels), elements);
    }

    void head() {
        const std::int64_t width = config_.width(config_.depths.size() - 1);
        norm("norm", volume(grid_), width, 0);
        fully_connected("head.fc_cls", width, config_.head_hidden[0],
                        kept_by_mean(volume(grid_) * width) + (config_.dropout > 0 ? width : 0));
        fully_connected("linear_layers.0", config_.head_hidden[0], config_.head_hidden[1]);
        fully_connected("linear_layers.2", config_.head_hidden[1], 2);
    }

    /// @param more_saved  besides its input.
    void fully_connected(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                         std::int64_t more_saved = 0) {
        LayerElements elements = linear_elements(1, inputs, outputs);
        elements.saved = inputs + more_saved;
        elements.working = inputs + outputs;
        layers_.add(name, "linear", {outputs}, elements);
    }

    Swin3dConfig config_;
    ClipShape clip_;
    Grid3 grid_;
    int blocks_ = 0;  ///< counted so far
    LayerList layers_;
};

}  // namespace

ModelCounts count_swin3d(const ArchitectureSpec& spec) { return Swin3dCounter(spec).run(); }

}  // namespace edgeloop
