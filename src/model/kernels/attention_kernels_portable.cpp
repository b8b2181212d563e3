#if defined(__AVX__)
#define EDGELOOP_VECTOR_BYTES 32
#else
#define EDGELOOP_VECTOR_BYTES 16
#endif
#include "model/kernels/attention_kernels.inl"

namespace edgeloop::kernels {

const AttentionKernels& portable_attention_kernels() {
    static constexpr AttentionKernels kernels{forward, backward, scratch_size, "portable"};
    return kernels;
}

}  // namespace edgeloop::kernels
