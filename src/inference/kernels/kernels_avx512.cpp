#include "inference/kernels/kernels.hpp"

#include <cstring>
#include <type_traits>

#include <immintrin.h>

namespace edgeloop::inference {
namespace {

#include "inference/kernels/common.inl"
#include "inference/kernels/x86_512.inl"

/// Pairs of 16 bits: products of bytes saturate.
struct IntegerTile {
    using In = std::int16_t;
    using Weight = std::int16_t;
    using Vector = Int;
    using Sum = Int;
    static constexpr int group = 2, vector_step = 2 * lanes, most_vectors = 4;
    static constexpr int positions(int vectors) { return vectors <= 2 ? 12 : 6; }
    EDGELOOP_INLINE static Int load(const std::int16_t* w) { return load_vector<Int>(w); }
    EDGELOOP_INLINE static Int broadcast(const std::int16_t* x) {
        std::int32_t pair;
        std::memcpy(&pair, x, sizeof pair);
        return Int{} + pair;
    }
    EDGELOOP_INLINE static Int dot(Int sum, Int w, Int x) {
        return sum + int_of(_mm512_madd_epi16(raw(w), raw(x)));
    }
};

/// Source: Mula, Kurz, Lemire, "Faster population counts using AVX2 instructions", 2018.
EDGELOOP_INLINE Word popcount(Word x) {
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i low = _mm512_and_si512(raw(x), nibble);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(raw(x), 4), nibble);
    const __m512i counts =
        _mm512_add_epi8(_mm512_shuffle_epi8(table, low), _mm512_shuffle_epi8(table, high));
    return reinterpret_cast<Word>(_mm512_sad_epu8(counts, _mm512_setzero_si512()));
}

#include "inference/kernels/kernels.inl"

}  // namespace

const Kernels* avx512_kernels() {
    static constexpr Kernels kernels = make_kernels(Instructions::avx512, 9);
    return &kernels;
}

}  // namespace edgeloop::inference
