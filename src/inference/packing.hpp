#pragma once

#include "inference/kernels/kernels.hpp"
#include "inference/place.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace edgeloop::inference {

/// Which kernel computes a convolution.
enum class Form : std::uint8_t {
    real,
    integers,  ///< bytes, or widened to 16 bits, as Kernels::is_wide says
    bits,      ///< planes of bits
    real_depthwise,
    integer_depthwise,
    shorts,  ///< integers whose products are first summed in 16 bits
};

/// The weights of a convolution as a kernel wants them, and all else that depends on its shape
/// alone. Vectors of channels are whole: what there is beyond the last channel is 0.
struct PackedConvolution {
    Form form = Form::real;
    Triple kernel{};  ///< of a linear layer the grid of its input
    int vectors = 0, groups = 0;
    std::vector<std::int32_t> runs;
    std::shared_ptr<std::byte[]> weights;
    std::ptrdiff_t vector_weights = 0, weight_plane = 0;
    int weight_planes = 1;
    std::size_t weight_bytes = 0;  ///< of one element
    int factor = 1, window_factor = 0;
    int room = 0;  ///< of Form::shorts: groups that a sum of 16 bits holds
    std::vector<float> real_bias, scales;
    std::vector<std::int32_t> bias, multipliers, shifts, caps, residual_multipliers;

    [[nodiscard]] const std::byte* vector(int index) const {
        return weights.get() + index * vector_weights * static_cast<std::ptrdiff_t>(weight_bytes);
    }
};

/// @param bits  whether planes of bits are taken: 0 never, 1 where they are faster, 2 wherever
/// there are kernels for them.
[[nodiscard]] Form form_of(const Layer& layer, const Place& input, const Kernels& kernels,
                           int bits);

/// @param input  with its padding; planes of bits have bytes of 8 channels in place of channels.
[[nodiscard]] PackedConvolution pack(const Layer& layer, const Place& input, Form form,
                                     const Kernels& kernels);

/// Bytes of a position's bits in a plane.
[[nodiscard]] inline int plane_bytes(int channels) { return (channels + 7) / 8; }

/// Zeroed memory at `alignment`.
[[nodiscard]] std::shared_ptr<std::byte[]> aligned_memory(std::size_t bytes);

}  // namespace edgeloop::inference
