#include "edgeloop/architecture/families/mbconv3d.hpp"

#include "model/depthwise_conv3d.hpp"
#include "model/layer_observer.hpp"
#include "model/layers.hpp"
#include "model/network.hpp"

#include <fmt/format.h>
#include <torch/nn/modules/container/modulelist.h>

namespace edgeloop {
namespace {

// Letters: B batch, C channels, (T, H, W) grid. Maps have shape (B, C, T, H, W).

/// Convolution without bias, then norm, whose bias takes its place.
class ConvNormImpl : public torch::nn::Module, public KernelChoice {
  public:
    enum class Channels { mixed, each_by_itself };
    explicit ConvNormImpl(Conv3dOptions options, Channels channels = Channels::mixed)
        : stride_(options.stride) {
        const Extent3& kernel = options.kernel;
        has_own_ = channels == Channels::each_by_itself && kernel[0] % 2 == 1 &&
                   kernel[1] % 2 == 1 && kernel[2] % 2 == 1;
        options.bias = LinearImpl::Bias::no;
        if (channels == Channels::each_by_itself) options.groups = options.inputs;
        conv_ = register_module("conv", Conv3d(options));
        norm_ = register_module("norm", GroupNorm(options.outputs));
    }
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const {
        if (has_own_ && kernels == Kernels::fused)
            return norm_->forward(depthwise_conv3d(x, conv_->weight, stride_));
        if (has_own_ && kernels == Kernels::exported)
            return norm_->forward(depthwise_by_frames(x, conv_->weight, stride_));
        return norm_->forward(conv_->forward(x));
    }

  private:
    Extent3 stride_;
    bool has_own_;
    Conv3d conv_{nullptr};
    GroupNorm norm_{nullptr};
};
TORCH_MODULE(ConvNorm);

ConvNorm pointwise(std::int64_t inputs, std::int64_t outputs) {
    return ConvNorm(Conv3dOptions{inputs, outputs});
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
    InvertedResidualImpl(int inputs, const Mbconv3d::Stage& stage, const Extent3& stride)
        : residual_(inputs == stage.channels && volume(stride) == 1) {
        const int width = stage.expanded(inputs);
        expand_ = register_module("expand", pointwise(inputs, width));
        depthwise_ =
            register_module("depthwise", ConvNorm(Conv3dOptions{width, width, stage.kernel, stride},
                                                  ConvNormImpl::Channels::each_by_itself));
        if (stage.squeeze > 0)
            squeeze_ = register_module("squeeze", Squeeze(width, stage.squeezed(inputs)));
        project_ = register_module("project", pointwise(width, stage.channels));
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const {
        torch::Tensor y = torch::silu(depthwise_->forward(torch::silu(expand_->forward(x))));
        if (!squeeze_.is_empty()) y = squeeze_->forward(y);
        y = project_->forward(y);
        return residual_ ? x + y : y;
    }

  private:
    bool residual_;
    ConvNorm expand_{nullptr}, depthwise_{nullptr}, project_{nullptr};
    Squeeze squeeze_{nullptr};
};
TORCH_MODULE(InvertedResidual);

class Mbconv3dNetwork : public Network {
  public:
    Mbconv3dNetwork(const Mbconv3d& config, int outputs) : dropout_(config.dropout) {
        stem_ = register_module("stem", ConvNorm(Conv3dOptions{1, config.stem, {3, 3, 3}}));
        int channels = config.stem;
        for (const Mbconv3d::Stage& stage : config.stages) {
            torch::nn::ModuleList blocks;
            for (int i = 0; i < stage.repeats; ++i) {
                const Extent3 stride = i == 0 ? stage.stride : Extent3{1, 1, 1};
                blocks->push_back(InvertedResidual(channels, stage, stride));
                blocks_.push_back(blocks[static_cast<std::size_t>(i)]->as<InvertedResidual>());
                block_names_.push_back(fmt::format("stages.{}.{}", stages_->size(), i));
                channels = stage.channels;
            }
            stages_->push_back(blocks);
        }
        register_module("stages", stages_);
        head_ = register_module("head", pointwise(channels, config.head));
        output_ = register_module("output", Linear(config.head, outputs));
    }

    torch::Tensor forward(const torch::Tensor& clips) override {
        torch::Tensor x = LayerObserver::seen("stem", torch::silu(stem_->forward(clips)));
        for (std::size_t i = 0; i < blocks_.size(); ++i)
            x = LayerObserver::seen(block_names_[i], blocks_[i]->forward(x));
        x = LayerObserver::seen("head", torch::silu(head_->forward(x)).mean({2, 3, 4}));
        return output_->forward(torch::dropout(x, dropout_, is_training()));
    }

  private:
    double dropout_;
    ConvNorm stem_{nullptr}, head_{nullptr};
    torch::nn::ModuleList stages_;
    std::vector<InvertedResidualImpl*> blocks_;  ///< those of all stages; stages_ owns them
    std::vector<std::string> block_names_;
    Linear output_{nullptr};
};

}  // namespace

std::shared_ptr<Network> Mbconv3d::build(const ClipShape&, int outputs) const {
    return std::make_shared<Mbconv3dNetwork>(*this, outputs);
}

}  // namespace edgeloop
