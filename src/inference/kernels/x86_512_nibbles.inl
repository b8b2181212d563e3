// AVX-512 without VPOPCNTDQ: counts of bytes.
// Source: Mula, Kurz, Lemire, "Faster population counts using AVX2 instructions", 2018.

constexpr int max_counts = 31;

EDGELOOP_INLINE Word bit_counts(Word x) {
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i low = _mm512_and_si512(raw(x), nibble);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(raw(x), 4), nibble);
    return reinterpret_cast<Word>(
        _mm512_add_epi8(_mm512_shuffle_epi8(table, low), _mm512_shuffle_epi8(table, high)));
}

EDGELOOP_INLINE Word gathered(Word counts) {
    return reinterpret_cast<Word>(_mm512_sad_epu8(raw(counts), _mm512_setzero_si512()));
}
