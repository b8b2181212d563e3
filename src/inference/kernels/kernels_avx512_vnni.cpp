#include "inference/kernels/kernels.hpp"

#include <cstring>
#include <type_traits>

#include <immintrin.h>

namespace edgeloop::inference {
namespace {

#include "inference/kernels/common.inl"
#include "inference/kernels/x86_512.inl"
#include "inference/kernels/x86_512_nibbles.inl"
#include "inference/kernels/x86_512_vnni.inl"
// What is written in terms of these.
#include "inference/kernels/kernels.inl"

}  // namespace

const Kernels* avx512_vnni_kernels() {
    static constexpr Kernels kernels = make_kernels(Instructions::avx512_vnni, 16);
    return &kernels;
}

}  // namespace edgeloop::inference
