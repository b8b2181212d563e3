#include "model/kernels/attention_kernels.hpp"

namespace edgeloop::kernels {

#ifdef EDGELOOP_X86_KERNELS
const AttentionKernels& avx512_attention_kernels();
const AttentionKernels& avx2_attention_kernels();
#endif
const AttentionKernels& portable_attention_kernels();

std::vector<const AttentionKernels*> runnable_attention_kernels() {
    std::vector<const AttentionKernels*> runnable;
#ifdef EDGELOOP_X86_KERNELS
    if (__builtin_cpu_supports("avx512f")) runnable.push_back(&avx512_attention_kernels());
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        runnable.push_back(&avx2_attention_kernels());
#endif
    runnable.push_back(&portable_attention_kernels());
    return runnable;
}

const AttentionKernels& attention_kernels() {
    static const AttentionKernels& fastest = *runnable_attention_kernels().front();
    return fastest;
}

}  // namespace edgeloop::kernels
