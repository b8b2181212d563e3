#include "inference/kernels/kernels.hpp"

#include <cstring>
#include <limits>
#include <type_traits>

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

// For any processor: vectors of 16 bytes, as SSE2 and NEON have them.

namespace edgeloop::inference {
namespace {

#include "inference/kernels/common.inl"

constexpr int lanes = 4;
#if defined(__aarch64__)
constexpr bool has_many_registers = true;
#else
constexpr bool has_many_registers = false;
#endif
using Real = float __attribute__((vector_size(16)));
using Int = std::int32_t __attribute__((vector_size(16)));
using Short = std::int16_t __attribute__((vector_size(8)));
using Word = std::uint64_t __attribute__((vector_size(16)));

EDGELOOP_INLINE void store(float* to, Real y, int count) {
    if (count == lanes)
        std::memcpy(to, &y, sizeof y);
    else
        for (int i = 0; i < count; ++i) to[i] = y[i];
}

EDGELOOP_INLINE Int load_bytes(const std::uint8_t* from) {
    return Int{from[0], from[1], from[2], from[3]};
}

EDGELOOP_INLINE void store_bytes(std::uint8_t* to, Int q, int count) {
    for (int i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>(q[i]);
}

EDGELOOP_INLINE Int requantised(Int sum, Int multiplier, Int shift, Int residual,
                                Int residual_multiplier, int high) {
    Int result;
    for (int i = 0; i < lanes; ++i) {
        const std::int64_t q = rounded_shift(std::int64_t{sum[i]} * multiplier[i] +
                                                 std::int64_t{residual[i]} * residual_multiplier[i],
                                             shift[i]);
        result[i] = static_cast<std::int32_t>(q < 0 ? 0 : q > high ? high : q);
    }
    return result;
}

/// requantise() of sums that are not negative, without the upper bound.
struct Requantiser {
    Int multiplier, shift;
    EDGELOOP_INLINE Requantiser(Int by, Int to) : multiplier(by), shift(to) {}
    EDGELOOP_INLINE Int operator()(Int sum) const {
        Int result;
        for (int i = 0; i < lanes; ++i)
            result[i] = static_cast<std::int32_t>(
                rounded_shift(std::int64_t{sum[i]} * multiplier[i], shift[i]));
        return result;
    }
};

EDGELOOP_INLINE Int narrow(Word low, Word high) {
    return Int{static_cast<std::int32_t>(low[0]), static_cast<std::int32_t>(low[1]),
               static_cast<std::int32_t>(high[0]), static_cast<std::int32_t>(high[1])};
}

#if defined(__aarch64__)
/// Counts of bytes.
constexpr int max_counts = 31;
EDGELOOP_INLINE Word bit_counts(Word x) {
    return reinterpret_cast<Word>(vcntq_u8(reinterpret_cast<uint8x16_t>(x)));
}
EDGELOOP_INLINE Word gathered(Word counts) {
    return reinterpret_cast<Word>(
        vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(reinterpret_cast<uint8x16_t>(counts)))));
}
#else
/// Counts of whole words.
constexpr int max_counts = std::numeric_limits<int>::max();
EDGELOOP_INLINE Word bit_counts(Word x) {
    Word result;
    for (int i = 0; i < lanes / 2; ++i)
        result[i] = static_cast<std::uint64_t>(__builtin_popcountll(x[i]));
    return result;
}
EDGELOOP_INLINE Word gathered(Word counts) { return counts; }
#endif
EDGELOOP_INLINE Word complemented(Word x, Word any, Word negative) { return (x & any) ^ negative; }

/// Products of numbers of 16 bits.
EDGELOOP_INLINE Int product_16(Int a, Int b) { return a * b; }

struct IntegerTile {
    using In = std::int16_t;
    using Weight = std::int16_t;
    using Vector = Int;
    using Sum = Int;
    static constexpr int group = 1, vector_step = lanes, max_vectors = has_many_registers ? 4 : 2;
    static constexpr int positions(int vectors) { return vectors == 1 ? 12 : 6; }
    EDGELOOP_INLINE static Int load(const std::int16_t* w) {
        return __builtin_convertvector(load_vector<Short>(w), Int);
    }
    EDGELOOP_INLINE static Int broadcast(const std::int16_t* x) { return Int{} + *x; }
    EDGELOOP_INLINE static Int dot(Int sum, Int w, Int x) { return sum + w * x; }
};
using ShortTile = void;

void plane(std::uint8_t* __restrict out, const std::uint8_t* __restrict x, int count, int bit) {
    for (int i = 0; i < count / 8; ++i) {
        unsigned byte = 0;
        for (unsigned k = 0; k < 8; ++k)
            byte |= ((unsigned{x[8 * i + static_cast<int>(k)]} >> bit) & 1U) << k;
        out[i] = static_cast<std::uint8_t>(byte);
    }
}

#include "inference/kernels/kernels.inl"

}  // namespace

const Kernels* portable_kernels() {
    static constexpr Kernels kernels = make_kernels(Instructions::portable, 4);
    return &kernels;
}

}  // namespace edgeloop::inference
