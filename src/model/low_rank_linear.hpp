#pragma once

#include "model/factored_module.hpp"

#include <string>
#include <vector>

#include <torch/nn/pimpl.h>

namespace edgeloop {

/// y = x A^T + b with the weights A as cores "core0", ... (..., inputs) -> (..., outputs). Neither
/// A nor its gradient is ever formed in training.
///
/// tt: the cores of the inputs are merged, and those of the outputs, both without the batch; the
/// batch then meets two thin matrices (Yang et al., CoMERA, NeurIPS 2024). What is kept for the
/// backward pass are x, the product with the first of them, and the merged cores.
/// ttm: the batch meets core after core, from the last one (Novikov et al., "Tensorizing neural
/// networks", NeurIPS 2015). Only x is kept; what lies between is computed again.
///
/// Kernels::exported runs A where that is less work (runs_as_factors()).
class TensorLinearImpl : public FactoredModule {
  public:
    explicit TensorLinearImpl(const FactoredLayer& layer);
    /// @return never a view, but with traceable kernels.
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;

    torch::Tensor bias;

  private:
    [[nodiscard]] std::vector<torch::Tensor> scaled_cores() const;
};
TORCH_MODULE(TensorLinear);

/// A linear layer as it is, or in tensor form.
class AnyLinear {
  public:
    AnyLinear() = default;
    /// @param parent    it becomes a module of that, by this name.
    /// @param factored  null: as it is.
    AnyLinear(torch::nn::Module& parent, const std::string& name, std::int64_t inputs,
              std::int64_t outputs, const RoundingOptions& rounding, const FactoredLayer* factored);
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;
    [[nodiscard]] const torch::Tensor& bias() const;
    /// Null where it is in tensor form.
    [[nodiscard]] const Linear& dense() const { return dense_; }

  private:
    Linear dense_{nullptr};
    TensorLinear factored_{nullptr};
};

}  // namespace edgeloop
