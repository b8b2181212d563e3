#include "inference/kernels/kernels.hpp"

#include <cstring>
#include <type_traits>

#include <immintrin.h>

namespace edgeloop::inference {
namespace {

#include "inference/kernels/common.inl"
#include "inference/kernels/x86_256.inl"

struct IntegerTile {
    using In = std::uint8_t;
    using Weight = std::int8_t;
    using Vector = Int;
    using Sum = Int;
    static constexpr int group = 4, vector_step = 4 * lanes, max_vectors = 2;
    static constexpr int positions(int vectors) { return vectors == 1 ? 12 : 6; }
    EDGELOOP_INLINE static Int load(const std::int8_t* w) { return load_vector<Int>(w); }
    EDGELOOP_INLINE static Int broadcast(const std::uint8_t* x) {
        std::int32_t four;
        std::memcpy(&four, x, sizeof four);
        return Int{} + four;
    }
    EDGELOOP_INLINE static Int dot(Int sum, Int w, Int x) {
        return int_of(_mm256_dpbusd_avx_epi32(raw(sum), raw(x), raw(w)));
    }
};
using ShortTile = void;

#include "inference/kernels/kernels.inl"

}  // namespace

const Kernels* avx_vnni_kernels() {
    static constexpr Kernels kernels = make_kernels(Instructions::avx_vnni, 18);
    return &kernels;
}

}  // namespace edgeloop::inference
