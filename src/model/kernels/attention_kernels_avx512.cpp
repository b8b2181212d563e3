#define EDGELOOP_VECTOR_BYTES 64
#include "model/kernels/attention_kernels.inl"

namespace edgeloop::kernels {

const AttentionKernels& avx512_attention_kernels() {
    static constexpr AttentionKernels kernels{forward, backward, scratch_size, "avx512"};
    return kernels;
}

}  // namespace edgeloop::kernels
