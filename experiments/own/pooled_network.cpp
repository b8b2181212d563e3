#include "model/layers.hpp"
#include "model/network.hpp"

#include "edgeloop/architecture/families/pooled.hpp"

#include <torch/nn/functional/pooling.h>
#include <torch/nn/modules/container/modulelist.h>

namespace edgeloop {
namespace {

class PooledNetwork : public Network {
  public:
    PooledNetwork(const Pooled& config, const ClipShape& clip, int outputs)
        : cells_(config.cells(clip)), dropout_(config.dropout) {
        std::int64_t width = volume(cells_);
        for (const int hidden : config.hidden) {
            hidden_->push_back(Linear(width, hidden));
            width = hidden;
        }
        register_module("hidden", hidden_);
        output_ = register_module("output", Linear(width, outputs));
    }

    /// (B, 1, T, H, W) -> (B, outputs)
    torch::Tensor forward(const torch::Tensor& clips) override {
        torch::Tensor x = torch::adaptive_avg_pool3d(clips, cells_).flatten(1);
        x = torch::dropout(x, dropout_, is_training());
        for (const auto& layer : *hidden_) x = torch::relu(layer->as<Linear>()->forward(x));
        return output_->forward(x);
    }

  private:
    Grid3 cells_;
    double dropout_;
    torch::nn::ModuleList hidden_;
    Linear output_{nullptr};
};

}  // namespace

std::shared_ptr<Network> Pooled::build(const ClipShape& clip, int outputs) const {
    return std::make_shared<PooledNetwork>(*this, clip, outputs);
}

}  // namespace edgeloop
