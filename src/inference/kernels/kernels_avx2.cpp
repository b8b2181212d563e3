#include "inference/kernels/kernels.hpp"

#include <cstring>
#include <type_traits>

#include <immintrin.h>

namespace edgeloop::inference {
namespace {

#include "inference/kernels/common.inl"
#include "inference/kernels/x86_256.inl"

/// Pairs of 16 bits: products of bytes saturate.
struct IntegerTile {
    using In = std::int16_t;
    using Weight = std::int16_t;
    using Vector = Int;
    using Sum = Int;
    static constexpr int group = 2, vector_step = 2 * lanes, most_vectors = 2;
    static constexpr int positions(int vectors) { return vectors == 1 ? 12 : 6; }
    EDGELOOP_INLINE static Int load(const std::int16_t* w) { return load_vector<Int>(w); }
    EDGELOOP_INLINE static Int broadcast(const std::int16_t* x) {
        std::int32_t pair;
        std::memcpy(&pair, x, sizeof pair);
        return Int{} + pair;
    }
    EDGELOOP_INLINE static Int dot(Int sum, Int w, Int x) {
        return sum + int_of(_mm256_madd_epi16(raw(w), raw(x)));
    }
};

#include "inference/kernels/kernels.inl"

}  // namespace

const Kernels* avx2_kernels() {
    static constexpr Kernels kernels = make_kernels(Instructions::avx2, 9);
    return &kernels;
}

}  // namespace edgeloop::inference
