#include "model/kernels/attention_kernels.hpp"

namespace edgeloop::kernels {

#ifdef EDGELOOP_HAVE_AVX2_KERNELS
const AttentionKernels& avx2_attention_kernels();
#endif

const AttentionKernels& attention_kernels() {
#ifdef EDGELOOP_HAVE_AVX2_KERNELS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return avx2_attention_kernels();
#endif
    return portable_attention_kernels();
}

}  // namespace edgeloop::kernels
