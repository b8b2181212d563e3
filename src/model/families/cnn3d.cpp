#include "edgeloop/architecture/families/cnn3d.hpp"

#include "model/layer_observer.hpp"
#include "model/layers.hpp"
#include "model/network.hpp"

#include <torch/nn/modules/container/modulelist.h>

namespace edgeloop {
namespace {

/// Convolution, norm, ReLU, max-pool. (B, C, T, H, W) -> (B, channels, T/pool, H/pool, W/pool).
class StageImpl : public torch::nn::Module {
  public:
    StageImpl(std::int64_t inputs, const Cnn3d::Stage& stage, bool has_norm) : stage_(stage) {
        conv_ =
            register_module("conv", Conv3d(Conv3dOptions{inputs, stage.channels, stage.kernel}));
        if (has_norm) norm_ = register_module("norm", GroupNorm(stage.channels));
    }

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const {
        torch::Tensor y = conv_->forward(x);
        if (!norm_.is_empty()) y = norm_->forward(y);
        y = torch::relu(y);
        const Grid3 pool = stage_.effective_pool({y.size(2), y.size(3), y.size(4)});
        if (pool == Grid3{1, 1, 1}) return y;
        return torch::max_pool3d(y, pool, pool);
    }

  private:
    Cnn3d::Stage stage_;
    Conv3d conv_{nullptr};
    GroupNorm norm_{nullptr};
};
TORCH_MODULE(Stage);

class Cnn3dNetwork : public Network {
  public:
    Cnn3dNetwork(const Cnn3d& config, const ClipShape& clip, int outputs)
        : is_mean_(config.reduce == "mean"), dropout_(config.dropout) {
        std::int64_t channels = 1;
        for (const Cnn3d::Stage& stage : config.stages) {
            stages_->push_back(Stage(channels, stage, config.norm == "group"));
            channels = stage.channels;
        }
        register_module("stages", stages_);
        std::int64_t width = config.features(clip);
        for (const int hidden : config.hidden) {
            hidden_->push_back(Linear(width, hidden));
            width = hidden;
        }
        register_module("hidden", hidden_);
        output_ = register_module("output", Linear(width, outputs));
    }

    torch::Tensor forward(const torch::Tensor& clips) override {
        torch::Tensor x = clips;
        std::size_t number = 0;
        for (const auto& stage : *stages_)
            x = LayerObserver::seen("stages", number++, stage->as<Stage>()->forward(x));
        x = is_mean_ ? x.mean({2, 3, 4}) : x.flatten(1);
        x = torch::dropout(x, dropout_, is_training());
        number = 0;
        for (const auto& layer : *hidden_)
            x = LayerObserver::seen("hidden", number++,
                                    torch::relu(layer->as<Linear>()->forward(x)));
        return output_->forward(x);
    }

  private:
    bool is_mean_;
    double dropout_;
    torch::nn::ModuleList stages_, hidden_;
    Linear output_{nullptr};
};

}  // namespace

std::shared_ptr<Network> Cnn3d::build(const ClipShape& clip, int outputs) const {
    return std::make_shared<Cnn3dNetwork>(*this, clip, outputs);
}

}  // namespace edgeloop
