#include "edgeloop/architecture/families/swin3d.hpp"

#include "model/fused_layers.hpp"
#include "model/layer_observer.hpp"
#include "model/layers.hpp"
#include "model/low_rank_linear.hpp"
#include "model/network.hpp"
#include "model/window_attention.hpp"

#include "edgeloop/architecture/window_geometry.hpp"

#include <numeric>

#include <fmt/format.h>
#include <torch/nn/modules/container/modulelist.h>

namespace edgeloop {
namespace {

// Letters: B batch, (T, H, W) token grid, C channels. Tokens have shape (B, T, H, W, C).

/// Stochastic depth: drops a residual branch for whole samples in training.
/// Source: Huang et al., "Deep networks with stochastic depth", ECCV 2016.
torch::Tensor drop_path(const torch::Tensor& branch, double probability) {
    const torch::Tensor keep =
        torch::empty({branch.size(0), 1, 1, 1, 1}, branch.options()).bernoulli_(1 - probability);
    return branch * keep.div_(1 - probability);
}

class PatchEmbedImpl : public torch::nn::Module, public KernelChoice {
  public:
    PatchEmbedImpl(const Extent3& patch, std::int64_t channels, const RoundingOptions& rounding)
        : patch_(patch) {
        Conv3dOptions options{1, channels, patch, patch, 1, Border::valid};
        options.rounding = rounding;
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
        if (!is_traceable(kernels)) return as_matrix_product(padded);
        return proj->forward(padded).permute({0, 2, 3, 4, 1}).contiguous();
    }

    Conv3d proj{nullptr};

  private:
    /// Patches do not overlap: the convolution is a linear layer over their pixels, and its result
    /// needs no change of layout.
    [[nodiscard]] torch::Tensor as_matrix_product(const torch::Tensor& clips) const {
        const auto [t, h, w] = patch_;
        const torch::Tensor patches =
            clips
                .reshape({clips.size(0), clips.size(2) / t, t, clips.size(3) / h, h,
                          clips.size(4) / w, w})
                .permute({0, 1, 3, 5, 2, 4, 6})
                .reshape({clips.size(0), clips.size(2) / t, clips.size(3) / h, clips.size(4) / w,
                          volume(patch_)});
        return torch::linear(proj->rounded_input(patches), proj->rounded_weight().flatten(1),
                             proj->rounded_bias());
    }

    Extent3 patch_;
};
TORCH_MODULE(PatchEmbed);

class BlockImpl : public torch::nn::Module, public KernelChoice {
  public:
    /// @param name  of its module, for the layers in tensor form.
    BlockImpl(const Swin3d& config, std::size_t stage, bool shifted, double drop_probability,
              const FactoredLayers& factors, const std::string& name)
        : window_(config.window), shifted_(shifted), drop_probability_(drop_probability) {
        const int channels = config.width(stage);
        const std::int64_t rows = window_geometry({1, 1, 1}, window_, false).table_rows();
        norm1_ = register_module("norm1", LayerNorm(channels));
        const RoundingOptions rounding(config.quantisation, config.quantisation.of_stage(stage),
                                       Reads::both_signs);
        const auto linear = [&](torch::nn::Module& parent, const char* group, const char* own,
                                int inputs, int outputs) {
            return AnyLinear(parent, own, inputs, outputs, rounding,
                             factored_as(factors, fmt::format("{}.{}.{}", name, group, own)));
        };
        const auto attention = register_module("attn", std::make_shared<torch::nn::Module>());
        qkv_ = linear(*attention, "attn", "qkv", channels, 3 * channels);
        proj_ = linear(*attention, "attn", "proj", channels, channels);
        table_ = attention->register_parameter("relative_position_bias_table",
                                               torch::empty({rows, config.heads[stage]}));
        norm2_ = register_module("norm2", LayerNorm(channels));
        const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
        fc1_ = linear(*mlp, "mlp", "fc1", channels, config.mlp_width(stage));
        fc2_ = linear(*mlp, "mlp", "fc2", config.mlp_width(stage), channels);
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& tokens) const {
        const WindowGeometry geometry =
            window_geometry({tokens.size(1), tokens.size(2), tokens.size(3)}, window_, shifted_);
        const torch::Tensor mixed = sum(tokens, projected(attention(tokens, geometry)));
        return sum(mixed, activated(normalised(norm2_, fc1_, mixed)));
    }

  private:
    // Layers in tensor form are fused with nothing.
    [[nodiscard]] torch::Tensor projected(const torch::Tensor& x) const {
        return proj_.dense().is_empty() ? proj_.forward(x)
                                        : dense_linear(proj_.dense(), x, kernels);
    }
    [[nodiscard]] torch::Tensor normalised(const LayerNorm& norm, const AnyLinear& linear,
                                           const torch::Tensor& x) const {
        return linear.dense().is_empty() ? linear.forward(norm->forward(x))
                                         : norm_linear(norm, linear.dense(), x, kernels);
    }
    [[nodiscard]] torch::Tensor activated(torch::Tensor&& x) const {
        return fc2_.dense().is_empty() ? fc2_.forward(torch::gelu(x))
                                       : gelu_linear(fc2_.dense(), std::move(x), kernels);
    }
    [[nodiscard]] torch::Tensor attention(const torch::Tensor& tokens,
                                          const WindowGeometry& geometry) const {
        if (kernels != Kernels::exported)
            return window_attention(normalised(norm1_, qkv_, tokens), qkv_.bias(), table_, geometry,
                                    kernels);
        const torch::Tensor x = norm1_->forward(tokens);
        if (qkv_.dense().is_empty()) {
            const torch::Tensor factors = query_scales(qkv_.bias(), table_.size(1));
            return exported_window_attention(qkv_.forward(x) * factors,
                                             constant_product(qkv_.bias(), factors), table_,
                                             geometry);
        }
        const Projection scaled =
            scaled_projection({qkv_.dense()->weight, qkv_.bias()}, table_.size(1));
        return exported_window_attention(torch::linear(x, scaled.weight, scaled.bias), scaled.bias,
                                         table_, geometry);
    }

    /// tokens + branch, without the branches that stochastic depth drops. Nobody needs the branch
    /// afterwards: its memory takes the result.
    [[nodiscard]] torch::Tensor sum(const torch::Tensor& tokens, torch::Tensor branch) const {
        if (is_training() && drop_probability_ > 0) branch = drop_path(branch, drop_probability_);
        return branch.add_(tokens);
    }

    Extent3 window_;
    bool shifted_;
    double drop_probability_;
    LayerNorm norm1_{nullptr}, norm2_{nullptr};
    AnyLinear qkv_, proj_, fc1_, fc2_;
    torch::Tensor table_;
};
TORCH_MODULE(Block);

/// Halves height and width and doubles the channels. (B, T, H, W, C) -> (B, T, H/2, W/2, 2 C).
class PatchMergingImpl : public torch::nn::Module, public KernelChoice {
  public:
    PatchMergingImpl(std::int64_t channels, const RoundingOptions& rounding) {
        norm_ = register_module("norm", LayerNorm(4 * channels));
        reduction_ = register_module(
            "reduction", Linear(4 * channels, 2 * channels, LinearImpl::Bias::no, rounding));
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& tokens) const {
        const torch::Tensor even =
            torch::constant_pad_nd(tokens, {0, 0, 0, tokens.size(3) % 2, 0, tokens.size(2) % 2});
        const std::int64_t rows = even.size(2) / 2, columns = even.size(3) / 2;
        // Neighbours in the order (0,0) (1,0) (0,1) (1,1) of (row, column).
        const torch::Tensor joined =
            even.reshape({-1, even.size(1), rows, 2, columns, 2, even.size(4)})
                .permute({0, 1, 2, 4, 5, 3, 6})
                .reshape({-1, even.size(1), rows, columns, 4 * even.size(4)});
        return norm_linear(norm_, reduction_, joined, kernels);
    }

  private:
    LayerNorm norm_{nullptr};
    Linear reduction_{nullptr};
};
TORCH_MODULE(PatchMerging);

class StageImpl : public torch::nn::Module {
  public:
    /// @param first_block  its number among all blocks, for the rising drop probability.
    StageImpl(const Swin3d& config, std::size_t stage, int first_block,
              const FactoredLayers& factors) {
        blocks_name_ = fmt::format("layers.{}.blocks", stage);
        const int blocks = std::accumulate(config.depths.begin(), config.depths.end(), 0);
        for (int i = 0; i < config.depths[stage]; ++i) {
            const double drop =
                blocks > 1 ? config.drop_path * (first_block + i) / (blocks - 1) : 0;
            blocks_->push_back(Block(config, stage, i % 2 == 1, drop, factors,
                                     fmt::format("{}.{}", blocks_name_, i)));
        }
        register_module("blocks", blocks_);
        downsample_name_ = fmt::format("layers.{}.downsample", stage);
        if (stage + 1 < config.depths.size())
            downsample_ = register_module(
                "downsample", PatchMerging(config.width(stage),
                                           RoundingOptions(config.quantisation,
                                                           config.quantisation.of_stage(stage),
                                                           Reads::both_signs)));
    }

    [[nodiscard]] torch::Tensor forward(torch::Tensor tokens) const {
        std::size_t number = 0;
        for (const auto& block : *blocks_)
            tokens = LayerObserver::seen(blocks_name_.c_str(), number++,
                                         block->as<Block>()->forward(tokens));
        return downsample_.is_empty()
                   ? tokens
                   : LayerObserver::seen(downsample_name_, downsample_->forward(tokens));
    }

  private:
    std::string blocks_name_, downsample_name_;
    torch::nn::ModuleList blocks_;
    PatchMerging downsample_{nullptr};
};
TORCH_MODULE(Stage);

class Swin3dNetwork : public Network {
  public:
    Swin3dNetwork(const Swin3d& config, const ClipShape& clip, int outputs)
        : dropout_(config.dropout) {
        const Quantisation& quantisation = config.quantisation;
        patch_embed_ = register_module(
            "patch_embed",
            PatchEmbed(config.patch, config.embed_dim,
                       RoundingOptions(quantisation, quantisation.of_first(), Reads::clip, clip)));
        const FactoredLayers factors = factored_layers(config.low_rank, config.tensor_layers(clip));
        int blocks = 0;
        for (std::size_t stage = 0; stage < config.depths.size(); ++stage) {
            layers_->push_back(Stage(config, stage, blocks, factors));
            blocks += config.depths[stage];
        }
        register_module("layers", layers_);
        const int width = config.width(config.depths.size() - 1);
        norm_ = register_module("norm", LayerNorm(width));
        const auto [first, second] = config.head_hidden;
        const auto head = register_module("head", std::make_shared<torch::nn::Module>());
        const RoundingOptions dense(quantisation, quantisation.of_dense(), Reads::both_signs);
        const RoundingOptions last(quantisation, quantisation.of_last(), Reads::above_zero);
        const auto with_bias = LinearImpl::Bias::yes;
        head_ = head->register_module("fc_cls", Linear(width, first, with_bias, dense));
        // Two layers with ReLU between them, named as in a PyTorch Sequential.
        const auto layers = register_module("linear_layers", std::make_shared<torch::nn::Module>());
        hidden_ = layers->register_module("0", Linear(first, second, with_bias, dense));
        output_ = layers->register_module("2", Linear(second, outputs, with_bias, last));
    }

    torch::Tensor forward(const torch::Tensor& clips) override {
        torch::Tensor x = LayerObserver::seen("patch_embed", patch_embed_->forward(clips));
        for (const auto& stage : *layers_) x = stage->as<Stage>()->forward(x);
        x = LayerObserver::seen("norm", norm_->forward(x).mean({1, 2, 3}));
        x = torch::dropout(x, dropout_, is_training());
        x = LayerObserver::seen("head.fc_cls", head_->forward(x));
        x = LayerObserver::seen("linear_layers.0", torch::relu(hidden_->forward(x)));
        return output_->forward(x);
    }

    [[nodiscard]] double initial_deviation(const std::string& parameter,
                                           const torch::Tensor&) const override {
        return parameter == "head.fc_cls.weight" ? 0.01 : 0.02;
    }

  private:
    double dropout_;
    PatchEmbed patch_embed_{nullptr};
    torch::nn::ModuleList layers_;
    LayerNorm norm_{nullptr};
    Linear head_{nullptr}, hidden_{nullptr}, output_{nullptr};
};

}  // namespace

std::shared_ptr<Network> Swin3d::build(const ClipShape& clip, int outputs) const {
    return std::make_shared<Swin3dNetwork>(*this, clip, outputs);
}

}  // namespace edgeloop
