#include "inference/kernels/kernels.hpp"

#include <cstring>
#include <type_traits>

#include <immintrin.h>

namespace edgeloop::inference {
namespace {

#include "inference/kernels/common.inl"
#include "inference/kernels/x86_512.inl"
#include "inference/kernels/x86_512_nibbles.inl"

/// Pairs of 16 bits: products of bytes saturate.
struct IntegerTile {
    using In = std::int16_t;
    using Weight = std::int16_t;
    using Vector = Int;
    using Sum = Int;
    static constexpr int group = 2, vector_step = 2 * lanes, max_vectors = 4;
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

/// Fours of bytes whose products are small enough.
struct ShortTile {
    using In = std::uint8_t;
    using Weight = std::int8_t;
    using Vector = Int;
    using Sum = Int;
    static constexpr int group = 4, vector_step = 4 * lanes;
    static constexpr int max_vectors = IntegerTile::max_vectors;
    static constexpr int positions(int vectors) { return IntegerTile::positions(vectors); }
    EDGELOOP_INLINE static Int load(const std::int8_t* w) { return load_vector<Int>(w); }
    EDGELOOP_INLINE static Int broadcast(const std::uint8_t* x) {
        std::int32_t four;
        std::memcpy(&four, x, sizeof four);
        return Int{} + four;
    }
    EDGELOOP_INLINE static Int dot(Int sum, Int w, Int x) {
        return int_of(_mm512_add_epi16(raw(sum), _mm512_maddubs_epi16(raw(x), raw(w))));
    }
    EDGELOOP_INLINE static Int widened(Int sums) {
        return int_of(_mm512_madd_epi16(raw(sums), _mm512_set1_epi16(1)));
    }
};

#include "inference/kernels/kernels.inl"

}  // namespace

const Kernels* avx512_kernels() {
    static constexpr Kernels kernels = make_kernels(Instructions::avx512, 9);
    return &kernels;
}

}  // namespace edgeloop::inference
