#pragma once

#include "edgeloop/architecture/grid.hpp"

#include <torch/types.h>

namespace edgeloop {

/// Convolution of each channel by itself with zeros around the borders: what
/// torch::conv3d(x, weight, {}, stride, kernel / 2, 1, channels) gives, without its copies of every
/// channel. Does not depend on the number of threads.
///
/// CPU and float32; anything else takes LibTorch's way. Not differentiable twice.
///
/// @param x       (B, C, T, H, W).
/// @param weight  (C, 1, t, h, w), odd extents.
/// @return (B, C, ceil(T / stride), ceil(H / stride), ceil(W / stride)).
[[nodiscard]] torch::Tensor depthwise_conv3d(const torch::Tensor& x, const torch::Tensor& weight,
                                             const Extent3& stride);

/// The same as a sum of convolutions of single frames, one for each step of the kernel in time:
/// runtimes have fast ones for those and run the other channel by channel. Basic operators only,
/// any device and type; a trace of it takes any batch.
[[nodiscard]] torch::Tensor depthwise_by_frames(const torch::Tensor& x, const torch::Tensor& weight,
                                                const Extent3& stride);

}  // namespace edgeloop
