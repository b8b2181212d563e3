#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// What one layer costs for one clip.
struct LayerCounts {
    std::string name;                 ///< its parameters' prefix, e.g. "layers.0.blocks.1.attn"
    std::string kind;                 ///< e.g. "linear", "conv3d", "window attention"
    std::vector<std::int64_t> shape;  ///< of its output, without the batch
    std::int64_t parameters = 0;
    std::int64_t flops = 0;         ///< 2 per multiply-add; matrix products and convolutions only
    std::int64_t input_bytes = 0;   ///< read in a forward pass, weights not included
    std::int64_t output_bytes = 0;  ///< written in a forward pass
    std::int64_t saved_bytes = 0;   ///< kept from the forward pass for the backward pass
    std::int64_t working_bytes =
        0;                   ///< inputs and outputs while it runs in inference, and residuals
    Bits bits = float_bits;  ///< of its weights, and of what it reads
};

/// What a network costs, counted from its spec without building it.
struct ModelCounts {
    std::vector<LayerCounts> layers;  ///< in order of execution
    std::int64_t parameters = 0;
    std::int64_t flops = 0;         ///< of one forward pass over one clip: the sum of the next two
    std::int64_t matrix_flops = 0;  ///< of matrix products, the figure papers on transformers give
    std::int64_t convolution_flops = 0;
    std::int64_t weight_bytes = 0;  ///< float32, also where they are quantised: in training
    /// Of the model as it is deployed. Quantised weights take their bits, and each channel of such
    /// a layer 64 more: a multiplier and an offset, into which bias and affine norm are folded.
    std::int64_t model_bits = 0;
    /// Multiply-adds times the bits of their weight times those of their input (32 for float32).
    std::int64_t bit_operations = 0;
    /// Activations of one clip kept for the backward pass by the fused kernels, float32; the clip
    /// itself is not among them. What is allocated differs by a few per cent. Times the batch, plus
    /// weights, gradients and optimiser state, this is what a training step needs.
    std::int64_t training_activation_bytes = 0;
    /// The part of it that LibTorch 1 keeps for the backward pass of a mean, and LibTorch 2 does
    /// not.
    std::int64_t mean_input_bytes = 0;
    /// What a training step keeps besides of weights that it rounds, merges or scales, once for a
    /// batch; of quantised ones and of those whose ranks adapt at most.
    std::int64_t rounding_bytes = 0;
    /// Numbers that are trained besides while ranks adapt, and are no part of the network then.
    std::int64_t bond_scales = 0;
    /// Largest set of inputs and outputs of one layer in inference: a lower bound, because kernels
    /// also need scratch.
    std::int64_t inference_activation_bytes = 0;
};

/// Counts parameters and FLOPs of a design exactly, and estimates its activation memory.
///
/// The memory of quantised layers in training is an upper bound.
///
/// FLOPs follow the usual convention of the field: padding inside a convolution counts, padding of
/// attention windows counts, everything that is not a matrix product or convolution does not.
///
/// @throws ConfigError  the spec is not one that can be built.
/// Complexity: O(layers).
[[nodiscard]] ModelCounts count(const ArchitectureSpec& spec);

/// Bytes that a training step needs, by what they hold. LibTorch's own scratch memory is not in it.
struct TrainingMemory {
    double weights = 0;
    double gradients = 0;
    double optimiser = 0;    ///< momentum, and Adam's second moment
    double activations = 0;  ///< of what passes at once, kept for the backward pass
    double derived = 0;      ///< of rounded, merged or scaled weights

    [[nodiscard]] double total() const {
        return weights + gradients + optimiser + activations + derived;
    }
};
[[nodiscard]] TrainingMemory training_memory(const ModelCounts& counts,
                                             const TrainingRecipe& recipe);
/// Its total: what a rank needs to train a design.
[[nodiscard]] double training_bytes(const ModelCounts& counts, const TrainingRecipe& recipe);

/// Groups of a GroupNorm over `channels`: the largest divisor of channels that is at most 8.
[[nodiscard]] int norm_groups(int channels);

}  // namespace edgeloop
