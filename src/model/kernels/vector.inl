// Short vectors for the kernels: GCC's and Clang's vector extensions, which become the instructions
// of whatever target the including file is compiled for. Everything here has internal linkage, so
// that the linker never mixes code of different targets.
//
// Before including: EDGELOOP_VECTOR_BYTES, the size of one vector register.

#include <cstdint>
#include <cstring>

namespace {

constexpr int width = EDGELOOP_VECTOR_BYTES / static_cast<int>(sizeof(float));

typedef float Vec __attribute__((vector_size(EDGELOOP_VECTOR_BYTES)));
typedef std::int32_t IntVec __attribute__((vector_size(EDGELOOP_VECTOR_BYTES)));

#define EDGELOOP_INLINE inline __attribute__((always_inline))

EDGELOOP_INLINE Vec load(const float* from) {
    Vec value;
    std::memcpy(&value, from, sizeof(value));
    return value;
}

EDGELOOP_INLINE void store(float* to, Vec value) { std::memcpy(to, &value, sizeof(value)); }

EDGELOOP_INLINE Vec broadcast(float value) { return value - Vec{}; }

EDGELOOP_INLINE Vec larger(Vec a, Vec b) { return a > b ? a : b; }

EDGELOOP_INLINE float sum_of(Vec v) {
    float sum = 0;
    for (int i = 0; i < width; ++i) sum += v[i];
    return sum;
}

EDGELOOP_INLINE float max_of(Vec v) {
    float largest = v[0];
    for (int i = 1; i < width; ++i) largest = v[i] > largest ? v[i] : largest;
    return largest;
}

/// e^x for x <= 88; below -87 the result is 0. A NaN stays one. Relative error below 2e-7.
///
/// e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln(2)/2; a polynomial for e^r as in Cephes.
EDGELOOP_INLINE Vec exponential(Vec x) {
    const Vec lowest = broadcast(-87.0f);
    const auto vanishes = x < lowest;
    x = vanishes ? lowest : x;
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the mantissa.
    const Vec shifted = x * 1.44269504088896341f + 12582912.0f;
    const Vec n = shifted - 12582912.0f;
    const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const Vec value = reinterpret_cast<Vec>(reinterpret_cast<IntVec>(p) +
                                            (reinterpret_cast<IntVec>(shifted) << 23));
    return vanishes ? Vec{} : value;
}

/// While it lives, this thread takes numbers too small for float's normal range as 0.
///
/// Probabilities of masked pairs times small gradients fall into that range, and processors compute
/// there a hundred times slower.
class NoDenormals {
  public:
    NoDenormals() {
#if defined(__SSE__)
        constexpr unsigned flush_results = 0x8000, zero_operands = 0x0040;
        __builtin_ia32_ldmxcsr(before_ | flush_results | zero_operands);
#endif
    }
    ~NoDenormals() {
#if defined(__SSE__)
        __builtin_ia32_ldmxcsr(before_);
#endif
    }
    NoDenormals(const NoDenormals&) = delete;
    NoDenormals& operator=(const NoDenormals&) = delete;

  private:
#if defined(__SSE__)
    unsigned before_ = __builtin_ia32_stmxcsr();
#endif
};

/// How the left factor of a product is stored.
enum class Left { rows, columns };

/// A rows x (panels * width) tile of C = A B or C += A B, kept in registers over all of `depth`.
template <Left left, int rows, int panels>
EDGELOOP_INLINE void tile(std::int64_t depth, const float* a, std::int64_t a_stride, const float* b,
                          std::int64_t b_stride, float* c, std::int64_t c_stride, bool add) {
    Vec sum[rows][panels];
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
        for (int p = 0; p < panels; ++p)
            sum[i][p] = add ? load(c + i * c_stride + p * width) : Vec{};
    for (std::int64_t k = 0; k < depth; ++k) {
        Vec right[panels];
#pragma GCC unroll 2
        for (int p = 0; p < panels; ++p) right[p] = load(b + k * b_stride + p * width);
#pragma GCC unroll 12
        for (int i = 0; i < rows; ++i) {
            const Vec factor =
                broadcast(left == Left::rows ? a[i * a_stride + k] : a[k * a_stride + i]);
#pragma GCC unroll 2
            for (int p = 0; p < panels; ++p) sum[i][p] += factor * right[p];
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
        for (int p = 0; p < panels; ++p) store(c + i * c_stride + p * width, sum[i][p]);
}

/// The last, incomplete tile of a panel: the largest tile that fits, then the rest.
template <Left left, int rows, int panels>
EDGELOOP_INLINE void last_tile(std::int64_t count, std::int64_t depth, const float* a,
                               std::int64_t a_stride, const float* b, std::int64_t b_stride,
                               float* c, std::int64_t c_stride, bool add) {
    if constexpr (rows > 0) {
        if (count == rows)
            tile<left, rows, panels>(depth, a, a_stride, b, b_stride, c, c_stride, add);
        else
            last_tile<left, rows - 1, panels>(count, depth, a, a_stride, b, b_stride, c, c_stride,
                                              add);
    }
}

/// All rows of one panel of C.
template <Left left, int rows, int panels>
EDGELOOP_INLINE void panel(std::int64_t count, std::int64_t depth, const float* a,
                           std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c,
                           std::int64_t c_stride, bool add) {
    const std::int64_t a_step = left == Left::rows ? a_stride : 1;
    std::int64_t i = 0;
    for (; i + rows <= count; i += rows)
        tile<left, rows, panels>(depth, a + i * a_step, a_stride, b, b_stride, c + i * c_stride,
                                 c_stride, add);
    last_tile<left, rows - 1, panels>(count - i, depth, a + i * a_step, a_stride, b, b_stride,
                                      c + i * c_stride, c_stride, add);
}

/// C = A B, or C += A B with `add`.
///
/// A has `count` rows and `depth` columns; with Left::columns it is stored column after column.
/// `columns` of B and C is a multiple of width, and their rows have room for it.
template <Left left>
__attribute__((noinline)) void product(std::int64_t count, std::int64_t columns, std::int64_t depth,
                                       const float* a, std::int64_t a_stride, const float* b,
                                       std::int64_t b_stride, float* c, std::int64_t c_stride,
                                       bool add) {
    std::int64_t j = 0;
    for (; j + 2 * width <= columns; j += 2 * width)
        panel<left, 6, 2>(count, depth, a, a_stride, b + j, b_stride, c + j, c_stride, add);
    if (j < columns)
        panel<left, 6, 1>(count, depth, a, a_stride, b + j, b_stride, c + j, c_stride, add);
}

}  // namespace
