#pragma once

#include "model/layers.hpp"

#include "edgeloop/model/kernels.hpp"

namespace edgeloop {

/// linear(x). (..., inputs) -> (..., outputs). The fused form's result may be changed in place at
/// no cost: it is never a view.
[[nodiscard]] torch::Tensor dense_linear(const Linear& linear, const torch::Tensor& x,
                                         Kernels kernels);

// Pairs of layers whose fused form keeps only its input for the backward pass and computes the
// tensor between the two again.

/// linear(norm(x)). (..., inputs) -> (..., outputs).
[[nodiscard]] torch::Tensor norm_linear(const LayerNorm& norm, const Linear& linear,
                                        const torch::Tensor& x, Kernels kernels);

/// linear(gelu(x)) with the exact GELU. (..., inputs) -> (..., outputs).
///
/// Without gradients the fused form may overwrite x: the caller gives it up.
[[nodiscard]] torch::Tensor gelu_linear(const Linear& linear, torch::Tensor&& x, Kernels kernels);

}  // namespace edgeloop
