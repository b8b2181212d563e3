// AVX-512 F, BW, DQ, VL: vectors of 64 bytes.

constexpr int lanes = 16;
constexpr bool has_many_registers = true;
using Real = float __attribute__((vector_size(64)));
using Int = std::int32_t __attribute__((vector_size(64)));
using Word = std::uint64_t __attribute__((vector_size(64)));

EDGELOOP_INLINE __m512i raw(Int x) { return reinterpret_cast<__m512i>(x); }
EDGELOOP_INLINE __m512i raw(Word x) { return reinterpret_cast<__m512i>(x); }
EDGELOOP_INLINE Int int_of(__m512i x) { return reinterpret_cast<Int>(x); }

/// The first `count` lanes, 1 to 16.
EDGELOOP_INLINE __mmask16 first_lanes(int count) {
    return static_cast<__mmask16>(0xffffU >> static_cast<unsigned>(lanes - count));
}

EDGELOOP_INLINE void store(float* to, Real y, int count) {
    _mm512_mask_storeu_ps(to, first_lanes(count), y);
}

EDGELOOP_INLINE Int load_bytes(const std::uint8_t* from) {
    return int_of(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

EDGELOOP_INLINE void store_bytes(std::uint8_t* to, Int q, int count) {
    _mm512_mask_cvtepi32_storeu_epi8(to, first_lanes(count), raw(q));
}

/// requantise() of the even lanes, as numbers of 64 bits.
EDGELOOP_INLINE __m512i requantised_even(__m512i sum, __m512i multiplier, __m512i shift,
                                         __m512i residual, __m512i residual_multiplier,
                                         __m512i high) {
    const __m512i one = _mm512_set1_epi64(1);
    const __m512i by = _mm512_and_si512(shift, _mm512_set1_epi64(0xff));
    __m512i q = _mm512_add_epi64(_mm512_mul_epi32(sum, multiplier),
                                 _mm512_mul_epi32(residual, residual_multiplier));
    q = _mm512_add_epi64(q, _mm512_sllv_epi64(one, _mm512_sub_epi64(by, one)));
    q = _mm512_srav_epi64(q, by);
    return _mm512_min_epi64(_mm512_max_epi64(q, _mm512_setzero_si512()), high);
}

EDGELOOP_INLINE Int requantised(Int sum, Int multiplier, Int shift, Int residual,
                                Int residual_multiplier, int high) {
    const __m512i most = _mm512_set1_epi64(high);
    const auto odd = [](Int x) { return _mm512_srli_epi64(raw(x), 32); };
    const __m512i even = requantised_even(raw(sum), raw(multiplier), raw(shift), raw(residual),
                                          raw(residual_multiplier), most);
    const __m512i other = requantised_even(odd(sum), odd(multiplier), odd(shift), odd(residual),
                                           odd(residual_multiplier), most);
    return int_of(_mm512_or_si512(even, _mm512_slli_epi64(other, 32)));
}

/// requantise() of sums that are not negative, without the upper bound: even and odd lanes as
/// numbers of 64 bits.
struct Requantiser {
    __m512i even_multiplier, odd_multiplier, even_shift, odd_shift, even_half, odd_half;
    EDGELOOP_INLINE Requantiser(Int multiplier, Int shift)
        : even_multiplier(raw(multiplier)),
          odd_multiplier(_mm512_srli_epi64(raw(multiplier), 32)),
          even_shift(_mm512_and_si512(raw(shift), _mm512_set1_epi64(0xff))),
          odd_shift(_mm512_srli_epi64(raw(shift), 32)),
          even_half(half(even_shift)),
          odd_half(half(odd_shift)) {}
    EDGELOOP_INLINE static __m512i half(__m512i shift) {
        const __m512i one = _mm512_set1_epi64(1);
        return _mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one));
    }
    EDGELOOP_INLINE Int operator()(Int sum) const {
        const __m512i even = _mm512_srlv_epi64(
            _mm512_add_epi64(_mm512_mul_epi32(raw(sum), even_multiplier), even_half), even_shift);
        const __m512i odd = _mm512_srlv_epi64(
            _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(raw(sum), 32), odd_multiplier),
                             odd_half),
            odd_shift);
        return int_of(_mm512_or_si512(even, _mm512_slli_epi64(odd, 32)));
    }
};

EDGELOOP_INLINE Int narrow(Word low, Word high) {
    return int_of(_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(raw(low))),
                                     _mm512_cvtepi64_epi32(raw(high)), 1));
}

EDGELOOP_INLINE Word complemented(Word x, Word any, Word negative) {
    constexpr int xor_of_and = 0x78;  // the first with the and of the others
    return reinterpret_cast<Word>(
        _mm512_ternarylogic_epi64(raw(negative), raw(x), raw(any), xor_of_and));
}

/// Products of numbers of 16 bits, the second not negative.
EDGELOOP_INLINE Int product_16(Int a, Int b) { return int_of(_mm512_madd_epi16(raw(a), raw(b))); }

void plane(std::uint8_t* __restrict out, const std::uint8_t* __restrict x, int count, int bit) {
    const __m512i wanted = _mm512_set1_epi8(static_cast<char>(1 << bit));
    int i = 0;
    for (; i + 64 <= count; i += 64) {
        const __mmask64 mask = _mm512_test_epi8_mask(_mm512_loadu_si512(x + i), wanted);
        std::memcpy(out + i / 8, &mask, sizeof mask);
    }
    for (; i < count; i += 8) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x + i));
        out[i / 8] = static_cast<std::uint8_t>(
            _mm_test_epi8_mask(bytes, _mm512_castsi512_si128(wanted)) & 0xffU);
    }
}
