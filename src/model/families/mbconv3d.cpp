#include "edgeloop/architecture/families/mbconv3d.hpp"

#include "model/depthwise_conv3d.hpp"
#include "model/layer_observer.hpp"
#include "model/layers.hpp"
#include "model/low_rank_convolution.hpp"
#include "model/network.hpp"

#include <fmt/format.h>
#include <torch/nn/modules/container/modulelist.h>

namespace edgeloop {
namespace {

// Letters: B batch, C channels, (T, H, W) grid. Maps have shape (B, C, T, H, W).

/// What all layers of a network share.
struct Style {
    bool is_affine = false;  ///< the norm
    bool has_relu = false;   ///< else SiLU

    [[nodiscard]] torch::Tensor activate(const torch::Tensor& x) const {
        return has_relu ? torch::relu(x) : torch::silu(x);
    }
};

/// Convolution without bias, then norm, whose bias takes its place.
class ConvNormImpl : public torch::nn::Module, public KernelChoice {
  public:
    enum class Channels { mixed, each_by_itself };
    ConvNormImpl(Conv3dOptions options, const Style& style, const RoundingOptions& rounding,
                 Channels channels = Channels::mixed, const FactoredLayer* factored = nullptr)
        : stride_(options.stride) {
        const Extent3& kernel = options.kernel;
        has_own_ = channels == Channels::each_by_itself && kernel[0] % 2 == 1 &&
                   kernel[1] % 2 == 1 && kernel[2] % 2 == 1;
        options.bias = LinearImpl::Bias::no;
        if (channels == Channels::each_by_itself) options.groups = options.inputs;
        options.rounding = rounding;
        if (factored != nullptr)
            chain_ = register_module("conv", ChainConv3d(*factored, LinearImpl::Bias::no));
        else
            conv_ = register_module("conv", Conv3d(options));
        if (style.is_affine)
            affine_ = register_module("norm", Affine(options.outputs));
        else
            norm_ = register_module("norm", GroupNorm(options.outputs));
    }
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const {
        return of_rounded(rounded(x));
    }
    [[nodiscard]] torch::Tensor rounded(const torch::Tensor& x) const {
        return conv_.is_empty() ? x : conv_->rounded_input(x);
    }
    [[nodiscard]] torch::Tensor of_rounded(const torch::Tensor& x) const {
        const torch::Tensor y = convolved(x);
        if (affine_.is_empty()) return norm_->forward(y);
        return conv_->rounds_bias() ? affine_->of_products(y, *conv_) : affine_->forward(y);
    }

  private:
    [[nodiscard]] torch::Tensor convolved(const torch::Tensor& x) const {
        if (!chain_.is_empty()) return chain_->forward(x);
        if (has_own_ && kernels == Kernels::fused)
            return depthwise_conv3d(x, conv_->rounded_weight(), stride_);
        if (has_own_ && kernels == Kernels::exported)
            return depthwise_by_frames(x, conv_->rounded_weight(), stride_);
        return conv_->convolve(x);
    }

    Extent3 stride_;
    bool has_own_;
    Conv3d conv_{nullptr};
    ChainConv3d chain_{nullptr};
    GroupNorm norm_{nullptr};
    Affine affine_{nullptr};
};
TORCH_MODULE(ConvNorm);

ConvNorm pointwise(std::int64_t inputs, std::int64_t outputs, const Style& style,
                   const RoundingOptions& rounding, const FactoredLayer* factored) {
    return ConvNorm(Conv3dOptions{inputs, outputs}, style, rounding, ConvNormImpl::Channels::mixed,
                    factored);
}

/// Weighs channels by a small network of their means.
/// Source: Hu et al., "Squeeze-and-excitation networks", CVPR 2018.
class SqueezeImpl : public torch::nn::Module {
  public:
    SqueezeImpl(std::int64_t channels, std::int64_t width) {
        reduce_ = register_module("reduce", Linear(channels, width));
        expand_ = register_module("expand", Linear(width, channels));
    }
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const {
        const torch::Tensor means = x.mean({2, 3, 4});
        const torch::Tensor gate =
            torch::sigmoid(expand_->forward(torch::relu(reduce_->forward(means))));
        return x * gate.reshape({-1, x.size(1), 1, 1, 1});
    }

  private:
    Linear reduce_{nullptr}, expand_{nullptr};
};
TORCH_MODULE(Squeeze);

/// Widens, convolves each channel by itself, weighs channels, narrows; with a residual where the
/// shape stays.
class InvertedResidualImpl : public torch::nn::Module {
  public:
    InvertedResidualImpl(int inputs, const Mbconv3d::Stage& stage, const Extent3& stride,
                         const Style& style, const RoundingOptions& rounding,
                         const FactoredLayers& factors, const std::string& name)
        : residual_(inputs == stage.channels && volume(stride) == 1), style_(style) {
        const int width = stage.expanded(inputs);
        expand_ = register_module("expand", pointwise(inputs, width, style, rounding,
                                                      factored_as(factors, name + ".expand.conv")));
        depthwise_ = register_module(
            "depthwise", ConvNorm(Conv3dOptions{width, width, stage.kernel, stride}, style,
                                  rounding, ConvNormImpl::Channels::each_by_itself));
        if (stage.squeeze > 0)
            squeeze_ = register_module("squeeze", Squeeze(width, stage.squeezed(inputs)));
        project_ =
            register_module("project", pointwise(width, stage.channels, style, rounding,
                                                 factored_as(factors, name + ".project.conv")));
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& input) const {
        const torch::Tensor x = expand_->rounded(input);  // once, for both branches
        torch::Tensor y =
            style_.activate(depthwise_->forward(style_.activate(expand_->of_rounded(x))));
        if (!squeeze_.is_empty()) y = squeeze_->forward(y);
        y = project_->forward(y);
        if (residual_) y = x + y;
        return style_.has_relu ? torch::relu(y) : y;
    }

  private:
    bool residual_;
    Style style_;
    ConvNorm expand_{nullptr}, depthwise_{nullptr}, project_{nullptr};
    Squeeze squeeze_{nullptr};
};
TORCH_MODULE(InvertedResidual);

class Mbconv3dNetwork : public Network {
  public:
    Mbconv3dNetwork(const Mbconv3d& config, const ClipShape& clip, int outputs)
        : dropout_(config.dropout), style_{config.norm == "affine", config.activation == "relu"} {
        const Quantisation& quantisation = config.quantisation;
        const auto rounding = [&](const Bits& bits, Reads reads = Reads::above_zero) {
            return RoundingOptions(quantisation, bits, reads, clip);
        };
        stem_ = register_module("stem", ConvNorm(Conv3dOptions{1, config.stem, {3, 3, 3}}, style_,
                                                 rounding(quantisation.of_first(), Reads::clip)));
        const FactoredLayers factors = factored_layers(config.low_rank, config.tensor_layers(clip));
        int channels = config.stem;
        for (std::size_t s = 0; s < config.stages.size(); ++s) {
            const Mbconv3d::Stage& stage = config.stages[s];
            torch::nn::ModuleList blocks;
            for (int i = 0; i < stage.repeats; ++i) {
                const Extent3 stride = i == 0 ? stage.stride : Extent3{1, 1, 1};
                block_names_.push_back(fmt::format("stages.{}.{}", s, i));
                blocks->push_back(InvertedResidual(channels, stage, stride, style_,
                                                   rounding(quantisation.of_stage(s)), factors,
                                                   block_names_.back()));
                blocks_.push_back(blocks[static_cast<std::size_t>(i)]->as<InvertedResidual>());
                channels = stage.channels;
            }
            stages_->push_back(blocks);
        }
        register_module("stages", stages_);
        head_ = register_module(
            "head", pointwise(channels, config.head, style_, rounding(quantisation.of_dense()),
                              factored_as(factors, "head.conv")));
        const Bits last = quantisation.of_last();
        if (last.activations != Bits::none)
            features_ = register_module("features",
                                        RoundingLayer(rounding({Bits::none, last.activations})));
        output_ = register_module(
            "output", Linear(config.head, outputs, LinearImpl::Bias::yes, rounding(last)));
    }

    torch::Tensor forward(const torch::Tensor& clips) override {
        torch::Tensor x = LayerObserver::seen("stem", style_.activate(stem_->forward(clips)));
        for (std::size_t i = 0; i < blocks_.size(); ++i)
            x = LayerObserver::seen(block_names_[i], blocks_[i]->forward(x));
        x = style_.activate(head_->forward(x));
        if (!features_.is_empty()) x = features_->forward(x);
        x = LayerObserver::seen("head", x.mean({2, 3, 4}));
        return output_->forward(torch::dropout(x, dropout_, is_training()));
    }

  private:
    double dropout_;
    Style style_;
    RoundingLayer features_{nullptr};
    ConvNorm stem_{nullptr}, head_{nullptr};
    torch::nn::ModuleList stages_;
    std::vector<InvertedResidualImpl*> blocks_;  ///< those of all stages; stages_ owns them
    std::vector<std::string> block_names_;
    Linear output_{nullptr};
};

}  // namespace

std::shared_ptr<Network> Mbconv3d::build(const ClipShape& clip, int outputs) const {
    return std::make_shared<Mbconv3dNetwork>(*this, clip, outputs);
}

}  // namespace edgeloop
