// AVX2: vectors of 32 bytes.

constexpr int lanes = 8;
constexpr bool has_many_registers = false;
using Real = float __attribute__((vector_size(32)));
using Int = std::int32_t __attribute__((vector_size(32)));
using Word = std::uint64_t __attribute__((vector_size(32)));

EDGELOOP_INLINE __m256i raw(Int x) { return reinterpret_cast<__m256i>(x); }
EDGELOOP_INLINE __m256i raw(Word x) { return reinterpret_cast<__m256i>(x); }
EDGELOOP_INLINE Int int_of(__m256i x) { return reinterpret_cast<Int>(x); }

/// The first `count` lanes.
EDGELOOP_INLINE __m256i first_lanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

EDGELOOP_INLINE void store(float* to, Real y, int count) {
    if (count == lanes)
        _mm256_storeu_ps(to, y);
    else
        _mm256_maskstore_ps(to, first_lanes(count), y);
}

EDGELOOP_INLINE Int load_bytes(const std::uint8_t* from) {
    return int_of(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

EDGELOOP_INLINE void store_bytes(std::uint8_t* to, Int q, int count) {
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(raw(q)), _mm256_extracti128_si256(raw(q), 1));
    const __m128i bytes = _mm_packus_epi16(words, words);
    if (count == lanes) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), bytes);
        return;
    }
    std::uint8_t all[lanes];
    _mm_storel_epi64(reinterpret_cast<__m128i*>(all), bytes);
    for (int i = 0; i < count; ++i) to[i] = all[i];
}

/// requantise() of the even lanes, as numbers of 64 bits.
EDGELOOP_INLINE __m256i requantised_even(__m256i sum, __m256i multiplier, __m256i shift,
                                         __m256i residual, __m256i residual_multiplier,
                                         __m256i high) {
    const __m256i one = _mm256_set1_epi64x(1), zero = _mm256_setzero_si256();
    const __m256i by = _mm256_and_si256(shift, _mm256_set1_epi64x(0xff));
    __m256i q = _mm256_add_epi64(_mm256_mul_epi32(sum, multiplier),
                                 _mm256_mul_epi32(residual, residual_multiplier));
    q = _mm256_add_epi64(q, _mm256_sllv_epi64(one, _mm256_sub_epi64(by, one)));
    // What is negative becomes 0, so a logical shift will do.
    q = _mm256_andnot_si256(_mm256_cmpgt_epi64(zero, q), q);
    q = _mm256_srlv_epi64(q, by);
    return _mm256_blendv_epi8(q, high, _mm256_cmpgt_epi64(q, high));
}

EDGELOOP_INLINE Int requantised(Int sum, Int multiplier, Int shift, Int residual,
                                Int residual_multiplier, int high) {
    const __m256i most = _mm256_set1_epi64x(high);
    const auto odd = [](Int x) { return _mm256_srli_epi64(raw(x), 32); };
    const __m256i even = requantised_even(raw(sum), raw(multiplier), raw(shift), raw(residual),
                                          raw(residual_multiplier), most);
    const __m256i other = requantised_even(odd(sum), odd(multiplier), odd(shift), odd(residual),
                                           odd(residual_multiplier), most);
    return int_of(_mm256_or_si256(even, _mm256_slli_epi64(other, 32)));
}

/// requantise() of sums that are not negative, without the upper bound: even and odd lanes as
/// numbers of 64 bits.
struct Requantiser {
    __m256i even_multiplier, odd_multiplier, even_shift, odd_shift, even_half, odd_half;
    EDGELOOP_INLINE Requantiser(Int multiplier, Int shift)
        : even_multiplier(raw(multiplier)),
          odd_multiplier(_mm256_srli_epi64(raw(multiplier), 32)),
          even_shift(_mm256_and_si256(raw(shift), _mm256_set1_epi64x(0xff))),
          odd_shift(_mm256_srli_epi64(raw(shift), 32)),
          even_half(half(even_shift)),
          odd_half(half(odd_shift)) {}
    EDGELOOP_INLINE static __m256i half(__m256i shift) {
        const __m256i one = _mm256_set1_epi64x(1);
        return _mm256_sllv_epi64(one, _mm256_sub_epi64(shift, one));
    }
    EDGELOOP_INLINE Int operator()(Int sum) const {
        const __m256i even = _mm256_srlv_epi64(
            _mm256_add_epi64(_mm256_mul_epi32(raw(sum), even_multiplier), even_half), even_shift);
        const __m256i odd = _mm256_srlv_epi64(
            _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(raw(sum), 32), odd_multiplier),
                             odd_half),
            odd_shift);
        return int_of(_mm256_or_si256(even, _mm256_slli_epi64(odd, 32)));
    }
};

EDGELOOP_INLINE Int narrow(Word low, Word high) {
    // The lower halves of all, then in order.
    const __m256 mixed =
        _mm256_shuffle_ps(reinterpret_cast<__m256>(low), reinterpret_cast<__m256>(high), 0x88);
    return int_of(_mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xd8));
}

/// Counts of bytes. Source: Mula, Kurz, Lemire, "Faster population counts using AVX2
/// instructions", 2018.
constexpr int max_counts = 31;
EDGELOOP_INLINE Word bit_counts(Word x) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i low = _mm256_and_si256(raw(x), nibble);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(raw(x), 4), nibble);
    return reinterpret_cast<Word>(
        _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high)));
}
EDGELOOP_INLINE Word gathered(Word counts) {
    return reinterpret_cast<Word>(_mm256_sad_epu8(raw(counts), _mm256_setzero_si256()));
}
EDGELOOP_INLINE Word complemented(Word x, Word any, Word negative) { return (x & any) ^ negative; }

/// Products of numbers of 16 bits, the second not negative.
EDGELOOP_INLINE Int product_16(Int a, Int b) { return int_of(_mm256_madd_epi16(raw(a), raw(b))); }

void plane(std::uint8_t* __restrict out, const std::uint8_t* __restrict x, int count, int bit) {
    int i = 0;
    const __m128i up = _mm_cvtsi32_si128(7 - bit);
    for (; i + 32 <= count; i += 32) {
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
        // The bit becomes the highest of its byte; what comes from the byte below lies lower.
        const int mask = _mm256_movemask_epi8(_mm256_sll_epi16(bytes, up));
        std::memcpy(out + i / 8, &mask, sizeof mask);
    }
    for (; i < count; i += 8) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x + i));
        out[i / 8] = static_cast<std::uint8_t>(_mm_movemask_epi8(_mm_sll_epi16(bytes, up)));
    }
}
