#pragma once

#include "model/factored_module.hpp"

#include <vector>

#include <torch/nn/pimpl.h>

namespace edgeloop {

/// A chain of convolutions that stands for one of Border::same, parameters "0.weight", ... and the
/// bias of the last. (B, inputs, T, H, W) -> (B, outputs, ...).
///
/// Kernels::exported runs what the chain stands for where that is less work (runs_as_factors()).
class ChainConv3dImpl : public FactoredModule {
  public:
    ChainConv3dImpl(const FactoredLayer& layer, LinearImpl::Bias with_bias);
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;

  private:
    [[nodiscard]] torch::Tensor linked(std::size_t number, const torch::Tensor& x) const;

    std::vector<Conv3d> links_;
    std::vector<ChainLink> shapes_;
};
TORCH_MODULE(ChainConv3d);

}  // namespace edgeloop
