#pragma once

#include "edgeloop/architecture/grid.hpp"

#include <cstdint>
#include <vector>

namespace edgeloop::kernels {

// Attention of one head in one window on the CPU, without LibTorch. The same source is compiled
// once for any processor, once for AVX2 and once for AVX-512; attention_kernels() picks at run
// time. Letters: N tokens of a window, D channels of a head, h heads. All arrays are dense float32.

/// Everything the windows of one call share.
struct AttentionShape {
    std::int64_t heads = 0;
    std::int64_t head_dim = 0;       ///< D
    std::int64_t clip_tokens = 0;    ///< tokens of one clip
    std::int64_t windows = 0;        ///< of one clip
    std::int64_t window_tokens = 0;  ///< N
    float scale = 1;                 ///< of queries
    /// Token of its clip at each place of each window, -1 at padding. Shape (windows, N).
    const std::int32_t* token = nullptr;
    /// Region of each place, below max_regions; a token sees its own region only. Shape
    /// (windows, N); null when everyone sees everyone.
    const std::uint8_t* region = nullptr;
    /// Relative position bias. Shape (heads, N, row_stride(N)); padded columns are never read back.
    const float* bias = nullptr;
};

/// Added to the score of two tokens of different regions, as in the original code.
constexpr float region_penalty = -100;
constexpr int max_regions = 27;

/// Which head of which window of which clip.
struct WindowIndex {
    std::int64_t clip = 0, window = 0, head = 0;
};

struct ForwardArrays {
    const float* qkv = nullptr;      ///< (clips, clip_tokens, 3, heads, D)
    const float* padding = nullptr;  ///< (3, heads, D): qkv at padded places
    float* output = nullptr;         ///< (clips, clip_tokens, heads, D)
    /// Logarithm of each query's sum of exponentials, for the backward pass. Shape (clips, windows,
    /// heads, N); null when there will be none.
    float* log_sum = nullptr;
};

struct BackwardArrays {
    const float* qkv = nullptr;
    const float* padding = nullptr;
    const float* output = nullptr;
    const float* log_sum = nullptr;
    const float* d_output = nullptr;  ///< like output
    float* d_qkv = nullptr;           ///< like qkv: written, not added to
    float* d_padding = nullptr;       ///< (3, D) of this head: added to
    float* d_bias = nullptr;          ///< (N, row_stride(N)) of this head: added to
};

struct AttentionKernels {
    void (*forward)(const AttentionShape&, const WindowIndex&, const ForwardArrays&,
                    float* scratch);
    void (*backward)(const AttentionShape&, const WindowIndex&, const BackwardArrays&,
                     float* scratch);
    /// Floats that forward and backward need as scratch, aligned to 64 bytes.
    std::int64_t (*scratch_size)(const AttentionShape&);
    const char* name;
};

/// The fastest kernels this processor can run.
[[nodiscard]] const AttentionKernels& attention_kernels();
/// All that this processor can run, the fastest first; the last are those every processor can run.
[[nodiscard]] std::vector<const AttentionKernels*> runnable_attention_kernels();

}  // namespace edgeloop::kernels
