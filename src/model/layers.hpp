#pragma once

#include "model/rounding.hpp"

#include "edgeloop/architecture/grid.hpp"
#include "edgeloop/model/kernels.hpp"

#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

namespace edgeloop {

// Layers whose parameters are created empty: make_network() fills them from a named random stream,
// without touching LibTorch's global generator. Parameter names are those of the PyTorch layers.
// Letters of shapes: B batch, C channels, T time, H height, W width; ... any leading dimensions.

/// A layer with a fused and a plain implementation: Network::set_kernels() sets it.
class KernelChoice {
  public:
    virtual ~KernelChoice() = default;
    Kernels kernels = Kernels::fused;
};

/// x in this type; x itself, without an operation that a trace would show, where it has it already.
[[nodiscard]] torch::Tensor in_type(torch::ScalarType type, const torch::Tensor& x);

/// Added to variances by every norm.
constexpr double norm_epsilon = 1e-5;

/// y = x A^T + b. (..., inputs) -> (..., outputs).
class LinearImpl : public RoundedLayer {
  public:
    enum class Bias { no, yes };
    LinearImpl(std::int64_t inputs, std::int64_t outputs, Bias with_bias = Bias::yes,
               const RoundingOptions& options = {});
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;
};
TORCH_MODULE(Linear);

// Norms compute in the type of their weights: under mixed precision in float32, as autocast has it
// on CUDA; on CPUs it leaves them mixed operands, which older versions of LibTorch refuse.

/// Normalisation over the last dimension. (..., C) -> (..., C).
class LayerNormImpl : public torch::nn::Module {
  public:
    explicit LayerNormImpl(std::int64_t channels);
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;

    torch::Tensor weight, bias;
};
TORCH_MODULE(LayerNorm);

/// Normalisation over groups of channels. (B, C, T, H, W) -> same.
class GroupNormImpl : public torch::nn::Module {
  public:
    explicit GroupNormImpl(std::int64_t channels);
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;

    torch::Tensor weight, bias;

  private:
    std::int64_t groups_;
};
TORCH_MODULE(GroupNorm);

/// A scale and a shift of each channel, which fold into the layer before. (B, C, T, H, W) -> same.
class AffineImpl : public torch::nn::Module {
  public:
    explicit AffineImpl(std::int64_t channels);
    [[nodiscard]] virtual torch::Tensor forward(const torch::Tensor& x) const;
    /// Of a layer whose bias is rounded, and which gives x without it: bias and norm become the
    /// shift that the integers have.
    [[nodiscard]] torch::Tensor of_products(const torch::Tensor& x,
                                            const RoundedLayer& layer) const;
    /// x scale() + shift(). Shape (C).
    [[nodiscard]] virtual torch::Tensor scale() const { return weight; }
    [[nodiscard]] virtual torch::Tensor shift() const { return bias; }

    torch::Tensor weight, bias;
};
TORCH_MODULE(Affine);

/// Group norm where nothing is rounded, and its average over calibration clips where layers are,
/// which folds as an affine norm does and is trained on.
class FrozenNormImpl : public AffineImpl {
  public:
    explicit FrozenNormImpl(std::int64_t channels);
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const override;
    [[nodiscard]] torch::Tensor scale() const override { return weight * factor_; }
    [[nodiscard]] torch::Tensor shift() const override { return bias - weight * mean_; }

    /// Freezes the averages over clips of 1 / deviation and mean / deviation of each group.
    /// @param sums  clips, then the sums of both, a group after the other.
    void freeze(const double* sums);
    /// What freeze() takes, since it was last forgotten.
    [[nodiscard]] const std::vector<double>& observed() const { return observed_; }
    void forget();

    Rounding rounding = Rounding::on;

  private:
    void observe(const torch::Tensor& x) const;

    std::int64_t groups_;
    torch::Tensor factor_, mean_;  ///< of each channel; the mean in deviations
    mutable std::vector<double> observed_;
};

/// How the borders of a convolution are treated.
enum class Border { valid, same };

struct Conv3dOptions {
    std::int64_t inputs = 1, outputs = 1;
    Extent3 kernel{1, 1, 1};
    Extent3 stride{1, 1, 1};
    std::int64_t groups = 1;
    Border border = Border::same;
    LinearImpl::Bias bias = LinearImpl::Bias::yes;
    RoundingOptions rounding{};
};

/// Of these weights and bias, which may be undefined. (B, inputs, T, H, W) -> (B, outputs, ...).
[[nodiscard]] torch::Tensor convolve3d(const torch::Tensor& x, const torch::Tensor& weight,
                                       const torch::Tensor& bias, const Conv3dOptions& options);

/// 3-D convolution. (B, inputs, T, H, W) -> (B, outputs, ceil(T/stride), ...) with Border::same.
///
/// An even kernel is padded by one more at the end than at the start.
class Conv3dImpl : public RoundedLayer {
  public:
    explicit Conv3dImpl(const Conv3dOptions& options);
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;
    /// Of an input that is rounded already.
    [[nodiscard]] torch::Tensor convolve(const torch::Tensor& x) const;
    /// The same without the bias.
    [[nodiscard]] torch::Tensor products(const torch::Tensor& x) const;
    /// The same with weights that were made of its own.
    [[nodiscard]] torch::Tensor convolve_with(const torch::Tensor& x,
                                              const torch::Tensor& weights) const {
        return convolve3d(x, weights, bias, options_);
    }

  private:
    Conv3dOptions options_;
};
TORCH_MODULE(Conv3d);

}  // namespace edgeloop
