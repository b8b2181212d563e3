#include "model/swin3d.hpp"

#include "model/initialisation.hpp"
#include "model/layers.hpp"
#include "model/swin3d_geometry.hpp"
#include "model/window_attention.hpp"

#include <numeric>

#include <torch/nn/modules/container/modulelist.h>

namespace edgeloop {
namespace {

// Letters: B batch, (T, H, W) token grid, C channels. Tokens have shape (B, T, H, W, C).

Grid3 grid_of(const torch::Tensor& tokens) {
    return {tokens.size(1), tokens.size(2), tokens.size(3)};
}

/// Stochastic depth: drops a residual branch for whole samples in training.
/// Source: Huang et al., "Deep networks with stochastic depth", ECCV 2016.
torch::Tensor drop_path(const torch::Tensor& branch, double probability) {
    const torch::Tensor keep =
        torch::empty({branch.size(0), 1, 1, 1, 1}, branch.options()).bernoulli_(1 - probability);
    return branch * keep.div_(1 - probability);
}

class PatchEmbedImpl : public torch::nn::Module {
  public:
    PatchEmbedImpl(const Extent3& patch, std::int64_t channels) : patch_(patch) {
        Conv3dOptions options;
        options.outputs = channels;
        options.kernel = options.stride = patch;
        options.border = Border::valid;
        proj = register_module("proj", Conv3d(options));
    }

    /// (B, 1, frames, height, width) -> (B, T, H, W, C), padded at the end to whole patches.
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& clips) const {
        const auto missing = [&](std::size_t d) {
            return (patch_[d] - clips.size(static_cast<std::int64_t>(d) + 2) % patch_[d]) %
                   patch_[d];
        };
        const torch::Tensor padded =
            torch::constant_pad_nd(clips, {0, missing(2), 0, missing(1), 0, missing(0)});
        return proj->forward(padded).permute({0, 2, 3, 4, 1}).contiguous();
    }

    Conv3d proj{nullptr};

  private:
    Extent3 patch_;
};
TORCH_MODULE(PatchEmbed);

class AttentionImpl : public torch::nn::Module {
  public:
    AttentionImpl(std::int64_t channels, std::int64_t heads, const Extent3& window, bool shifted)
        : window_(window), shifted_(shifted) {
        const std::int64_t rows = window_geometry({1, 1, 1}, window, false).table_rows();
        qkv = register_module("qkv", Linear(channels, 3 * channels));
        proj = register_module("proj", Linear(channels, channels));
        table = register_parameter("relative_position_bias_table", torch::empty({rows, heads}));
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& tokens) const {
        const WindowGeometry geometry = window_geometry(grid_of(tokens), window_, shifted_);
        const torch::Tensor values =
            plain_window_attention(qkv->forward(tokens), qkv->bias, table, geometry);
        return proj->forward(values);
    }

    Linear qkv{nullptr}, proj{nullptr};
    torch::Tensor table;

  private:
    Extent3 window_;
    bool shifted_;
};
TORCH_MODULE(Attention);

class MlpImpl : public torch::nn::Module {
  public:
    MlpImpl(std::int64_t channels, std::int64_t hidden) {
        fc1 = register_module("fc1", Linear(channels, hidden));
        fc2 = register_module("fc2", Linear(hidden, channels));
    }
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& tokens) const {
        return fc2->forward(torch::gelu(fc1->forward(tokens)));
    }

    Linear fc1{nullptr}, fc2{nullptr};
};
TORCH_MODULE(Mlp);

class BlockImpl : public torch::nn::Module {
  public:
    BlockImpl(const Swin3dConfig& config, std::size_t stage, bool shifted, double drop_probability)
        : drop_probability_(drop_probability) {
        const int channels = config.width(stage);
        norm1_ = register_module("norm1", LayerNorm(channels));
        attn_ = register_module("attn",
                                Attention(channels, config.heads[stage], config.window, shifted));
        norm2_ = register_module("norm2", LayerNorm(channels));
        mlp_ = register_module("mlp", Mlp(channels, config.mlp_width(stage)));
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& tokens) const {
        const torch::Tensor mixed = tokens + kept(attn_->forward(norm1_->forward(tokens)));
        return mixed + kept(mlp_->forward(norm2_->forward(mixed)));
    }

  private:
    [[nodiscard]] torch::Tensor kept(const torch::Tensor& branch) const {
        return is_training() && drop_probability_ > 0 ? drop_path(branch, drop_probability_)
                                                      : branch;
    }

    double drop_probability_;
    LayerNorm norm1_{nullptr}, norm2_{nullptr};
    Attention attn_{nullptr};
    Mlp mlp_{nullptr};
};
TORCH_MODULE(Block);

/// Halves height and width and doubles the channels. (B, T, H, W, C) -> (B, T, H/2, W/2, 2 C).
class PatchMergingImpl : public torch::nn::Module {
  public:
    explicit PatchMergingImpl(std::int64_t channels) {
        norm_ = register_module("norm", LayerNorm(4 * channels));
        reduction_ =
            register_module("reduction", Linear(4 * channels, 2 * channels, LinearImpl::Bias::no));
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& tokens) const {
        const torch::Tensor even =
            torch::constant_pad_nd(tokens, {0, 0, 0, tokens.size(3) % 2, 0, tokens.size(2) % 2});
        const auto neighbour = [&](std::int64_t row, std::int64_t column) {
            return even.slice(2, row, c10::nullopt, 2).slice(3, column, c10::nullopt, 2);
        };
        const torch::Tensor joined =
            torch::cat({neighbour(0, 0), neighbour(1, 0), neighbour(0, 1), neighbour(1, 1)}, -1);
        return reduction_->forward(norm_->forward(joined));
    }

  private:
    LayerNorm norm_{nullptr};
    Linear reduction_{nullptr};
};
TORCH_MODULE(PatchMerging);

class StageImpl : public torch::nn::Module {
  public:
    /// @param first_block  its number among all blocks, for the rising drop probability.
    StageImpl(const Swin3dConfig& config, std::size_t stage, int first_block) {
        const int blocks = std::accumulate(config.depths.begin(), config.depths.end(), 0);
        for (int i = 0; i < config.depths[stage]; ++i) {
            const double drop =
                blocks > 1 ? config.drop_path * (first_block + i) / (blocks - 1) : 0;
            blocks_->push_back(Block(config, stage, i % 2 == 1, drop));
        }
        register_module("blocks", blocks_);
        if (stage + 1 < config.depths.size())
            downsample_ = register_module("downsample", PatchMerging(config.width(stage)));
    }

    [[nodiscard]] torch::Tensor forward(torch::Tensor tokens) const {
        for (const auto& block : *blocks_) tokens = block->as<Block>()->forward(tokens);
        return downsample_.is_empty() ? tokens : downsample_->forward(tokens);
    }

  private:
    torch::nn::ModuleList blocks_;
    PatchMerging downsample_{nullptr};
};
TORCH_MODULE(Stage);

class ClassifierImpl : public torch::nn::Module {
  public:
    ClassifierImpl(std::int64_t inputs, std::int64_t outputs) {
        fc_cls = register_module("fc_cls", Linear(inputs, outputs));
    }
    Linear fc_cls{nullptr};
};
TORCH_MODULE(Classifier);

/// Two layers with ReLU between them, named as in a PyTorch Sequential.
class RegressorImpl : public torch::nn::Module {
  public:
    RegressorImpl(std::int64_t inputs, std::int64_t hidden) {
        first_ = register_module("0", Linear(inputs, hidden));
        second_ = register_module("2", Linear(hidden, 2));
    }
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const {
        return second_->forward(torch::relu(first_->forward(x)));
    }

  private:
    Linear first_{nullptr}, second_{nullptr};
};
TORCH_MODULE(Regressor);

class Swin3dNetwork : public Network {
  public:
    explicit Swin3dNetwork(const Swin3dConfig& config) : dropout_(config.dropout) {
        patch_embed_ = register_module("patch_embed", PatchEmbed(config.patch, config.embed_dim));
        int blocks = 0;
        for (std::size_t stage = 0; stage < config.depths.size(); ++stage) {
            layers_->push_back(Stage(config, stage, blocks));
            blocks += config.depths[stage];
        }
        register_module("layers", layers_);
        const int width = config.width(config.depths.size() - 1);
        norm_ = register_module("norm", LayerNorm(width));
        head_ = register_module("head", Classifier(width, config.head_hidden[0]));
        linear_layers_ = register_module("linear_layers",
                                         Regressor(config.head_hidden[0], config.head_hidden[1]));
    }

    torch::Tensor forward(const torch::Tensor& clips) override {
        torch::Tensor x = patch_embed_->forward(clips);
        for (const auto& stage : *layers_) x = stage->as<Stage>()->forward(x);
        x = norm_->forward(x).mean({1, 2, 3});
        x = torch::dropout(x, dropout_, is_training());
        return linear_layers_->forward(head_->fc_cls->forward(x));
    }

  private:
    double dropout_;
    PatchEmbed patch_embed_{nullptr};
    torch::nn::ModuleList layers_;
    LayerNorm norm_{nullptr};
    Classifier head_{nullptr};
    Regressor linear_layers_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_swin3d(const ArchitectureSpec& spec, std::uint64_t seed) {
    auto network = std::make_shared<Swin3dNetwork>(swin3d_config(spec));
    initialise(*network, seed, [](const std::string& name, const torch::Tensor&) {
        return name == "head.fc_cls.weight" ? 0.01 : 0.02;
    });
    return network;
}

}  // namespace edgeloop
