#include "inference/kernels/kernels.hpp"

#include <cstring>
#include <limits>
#include <type_traits>

#include <immintrin.h>

namespace edgeloop::inference {
namespace {

#include "inference/kernels/common.inl"
#include "inference/kernels/x86_512.inl"
#include "inference/kernels/x86_512_vnni.inl"

/// Counts of whole words.
constexpr int max_counts = std::numeric_limits<int>::max();
EDGELOOP_INLINE Word bit_counts(Word x) {
    return reinterpret_cast<Word>(_mm512_popcnt_epi64(raw(x)));
}
EDGELOOP_INLINE Word gathered(Word counts) { return counts; }

#include "inference/kernels/kernels.inl"

}  // namespace

const Kernels* avx512_popcnt_kernels() {
    static constexpr Kernels kernels = make_kernels(Instructions::avx512_popcnt, 5);
    return &kernels;
}

}  // namespace edgeloop::inference
