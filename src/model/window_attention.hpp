#pragma once

#include "edgeloop/architecture/window_geometry.hpp"
#include "edgeloop/model/kernels.hpp"

#include <torch/types.h>

namespace edgeloop {

// Letters: B batch, (T, H, W) token grid, C channels, h heads, N tokens of a window.

/// Attention of 3-D (shifted) windows, from queries, keys and values to weighted values, with the
/// kernels that are asked for. Devices and types that the fused ones are not for take the
/// library's: LibTorch's own fused attention, which it has since 2.0; the plain way on older
/// versions.
///
/// Partition into windows, cyclic shift, padding, relative position bias and the mask between
/// regions of a shifted grid are part of the operation.
///
/// @param qkv      (B, T, H, W, 3 C): queries, keys, values, each split into heads.
/// @param padding  (3 C): what qkv is at padded positions, i.e. the bias of its projection.
/// @param table    (geometry.table_rows(), heads): relative position bias.
/// @return (B, T, H, W, C).
[[nodiscard]] torch::Tensor window_attention(const torch::Tensor& qkv, const torch::Tensor& padding,
                                             const torch::Tensor& table,
                                             const WindowGeometry& geometry, Kernels kernels);

/// The fused way as one operation: no copies into windows, no mask, bias and softmax in one pass
/// over scores that never leave the cache, and a backward pass that computes probabilities again
/// instead of keeping them. Results do not depend on the number of threads.
///
/// REQUIRES: CPU and float32. Not differentiable twice.
[[nodiscard]] torch::Tensor fused_window_attention(const torch::Tensor& qkv,
                                                   const torch::Tensor& padding,
                                                   const torch::Tensor& table,
                                                   const WindowGeometry& geometry);

struct Projection {
    torch::Tensor weight;  ///< (3 C, C)
    torch::Tensor bias;    ///< (3 C)
};
/// A projection to queries, keys and values whose queries are already divided by the square root of
/// the channels of a head. A constant to whoever traces it.
[[nodiscard]] Projection scaled_projection(const Projection& projection, std::int64_t heads);

/// The factors (3 C) that make such queries of others, and their product with a bias: constants to
/// whoever traces it.
[[nodiscard]] torch::Tensor query_scales(const torch::Tensor& bias, std::int64_t heads);
[[nodiscard]] torch::Tensor constant_product(const torch::Tensor& bias,
                                             const torch::Tensor& factors);

/// What runtimes of exported files take fastest: tokens are gathered into windows and back by one
/// operator each, with shift and padding; bias and mask are one constant where that is small.
/// @param qkv, padding  of a scaled_projection(). Others: as window_attention().
[[nodiscard]] torch::Tensor exported_window_attention(const torch::Tensor& qkv,
                                                      const torch::Tensor& padding,
                                                      const torch::Tensor& table,
                                                      const WindowGeometry& geometry);

}  // namespace edgeloop
