#define EDGELOOP_VECTOR_BYTES 32
#include "model/kernels/attention_kernels.inl"

namespace edgeloop::kernels {

const AttentionKernels& avx2_attention_kernels() {
    static constexpr AttentionKernels kernels{forward, backward, scratch_size, "avx2"};
    return kernels;
}

}  // namespace edgeloop::kernels
