#include "edgeloop/architecture/families/cnn3d.hpp"

#include "model/layer_observer.hpp"
#include "model/layers.hpp"
#include "model/low_rank_convolution.hpp"
#include "model/low_rank_linear.hpp"
#include "model/network.hpp"

#include <torch/nn/modules/container/modulelist.h>

namespace edgeloop {
namespace {

/// Convolution, norm, ReLU, max-pool. (B, C, T, H, W) -> (B, channels, T/pool, H/pool, W/pool).
class StageImpl : public torch::nn::Module {
  public:
    StageImpl(std::int64_t inputs, const Cnn3d::Stage& stage, const std::string& norm,
              const RoundingOptions& rounding, const FactoredLayer* factored)
        : stage_(stage) {
        Conv3dOptions options{inputs, stage.channels, stage.kernel};
        options.rounding = rounding;
        if (factored != nullptr)
            chain_ = register_module("conv", ChainConv3d(*factored, LinearImpl::Bias::yes));
        else
            conv_ = register_module("conv", Conv3d(options));
        if (norm == "group") norm_ = register_module("norm", GroupNorm(stage.channels));
        if (norm == "affine") affine_ = register_module("norm", Affine(stage.channels));
        if (norm == "frozen") {
            const std::shared_ptr<AffineImpl> frozen =
                std::make_shared<FrozenNormImpl>(stage.channels);
            affine_ = register_module("norm", Affine(frozen));
        }
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const {
        const torch::Tensor y = torch::relu(normed(x));
        const Grid3 pool = stage_.effective_pool({y.size(2), y.size(3), y.size(4)});
        if (pool == Grid3{1, 1, 1}) return y;
        return torch::max_pool3d(y, pool, pool);
    }

  private:
    [[nodiscard]] torch::Tensor normed(const torch::Tensor& x) const {
        if (!chain_.is_empty()) return normed_result(chain_->forward(x));
        const torch::Tensor rounded = conv_->rounded_input(x);
        if (!affine_.is_empty() && conv_->rounds_bias())
            return affine_->of_products(conv_->products(rounded), *conv_);
        return normed_result(conv_->convolve(rounded));
    }
    [[nodiscard]] torch::Tensor normed_result(const torch::Tensor& y) const {
        if (!norm_.is_empty()) return norm_->forward(y);
        return affine_.is_empty() ? y : affine_->forward(y);
    }

    Cnn3d::Stage stage_;
    Conv3d conv_{nullptr};
    ChainConv3d chain_{nullptr};
    GroupNorm norm_{nullptr};
    Affine affine_{nullptr};
};
TORCH_MODULE(Stage);

class Cnn3dNetwork : public Network {
  public:
    Cnn3dNetwork(const Cnn3d& config, const ClipShape& clip, int outputs)
        : is_mean_(config.reduce == "mean"), dropout_(config.dropout) {
        const Quantisation& quantisation = config.quantisation;
        const auto rounding = [&](const Bits& bits, Reads reads = Reads::above_zero) {
            return RoundingOptions(quantisation, bits, reads, clip);
        };
        const FactoredLayers factors = factored_layers(config.low_rank, config.tensor_layers(clip));
        std::int64_t channels = 1;
        for (std::size_t i = 0; i < config.stages.size(); ++i) {
            const Cnn3d::Stage& stage = config.stages[i];
            stages_->push_back(
                Stage(channels, stage, config.norm_used(),
                      rounding(quantisation.of_stage(i), i == 0 ? Reads::clip : Reads::above_zero),
                      factored_as(factors, "stages." + std::to_string(i) + ".conv")));
            channels = stage.channels;
        }
        register_module("stages", stages_);
        if (config.rounds_features())
            features_ = register_module(
                "features",
                RoundingLayer(rounding({Bits::none, config.bits_after_stages().activations})));
        std::int64_t width = config.features(clip);
        const auto hidden = register_module("hidden", std::make_shared<torch::nn::Module>());
        for (std::size_t i = 0; i < config.hidden.size(); ++i) {
            hidden_.emplace_back(*hidden, std::to_string(i), width, config.hidden[i],
                                 rounding(quantisation.of_dense()),
                                 factored_as(factors, "hidden." + std::to_string(i)));
            width = config.hidden[i];
        }
        output_ = register_module("output", Linear(width, outputs, LinearImpl::Bias::yes,
                                                   rounding(quantisation.of_last())));
    }

    torch::Tensor forward(const torch::Tensor& clips) override {
        torch::Tensor x = clips;
        std::size_t number = 0;
        for (const auto& stage : *stages_)
            x = LayerObserver::seen("stages", number++, stage->as<Stage>()->forward(x));
        if (!features_.is_empty()) x = features_->forward(x);
        x = is_mean_ ? x.mean({2, 3, 4}) : x.flatten(1);
        x = torch::dropout(x, dropout_, is_training());
        number = 0;
        for (const AnyLinear& layer : hidden_)
            x = LayerObserver::seen("hidden", number++, torch::relu(layer.forward(x)));
        return output_->forward(x);
    }

  private:
    bool is_mean_;
    double dropout_;
    torch::nn::ModuleList stages_;
    std::vector<AnyLinear> hidden_;
    RoundingLayer features_{nullptr};
    Linear output_{nullptr};
};

}  // namespace

std::shared_ptr<Network> Cnn3d::build(const ClipShape& clip, int outputs) const {
    return std::make_shared<Cnn3dNetwork>(*this, clip, outputs);
}

}  // namespace edgeloop
