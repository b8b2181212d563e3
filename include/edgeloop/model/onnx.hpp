#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <string>

namespace edgeloop {

/// The network of a spec as an ONNX model (operator set 17, float32): input "clips" of shape
/// (batch, 1, frames, side, side), of grey values normalised as the spec's clip says; output
/// "targets" (batch, n). Its metadata has the spec.
///
/// @param weights  safetensors file; empty: initial weights of seed 1.
/// @param batch  fixed, because windows of a swin3d are part of the batch dimension inside.
/// @throws ConfigError  a spec that can't be built, weights of another network; std::bad_alloc.
[[nodiscard]] std::string export_onnx(const ArchitectureSpec& spec, const std::string& weights,
                                      int batch);

}  // namespace edgeloop
