#pragma once

#include "edgeloop/inference/instructions.hpp"

#include <algorithm>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// What registers alone allow: chains of multiply-adds that read no memory.

namespace edgeloop::inference {

inline double processor_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

/// Lower quartile of at least 9 runs over so many seconds; processor time, so that neighbours do
/// not count.
inline double seconds_of(const std::function<void()>& body, double at_least = 0.2) {
    body();
    std::vector<double> times;
    const double begin = processor_seconds();
    while (times.size() < 9 || processor_seconds() - begin < at_least) {
        const double start = processor_seconds();
        body();
        times.push_back(processor_seconds() - start);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 4];
}

/// Multiply-adds a second, by what is multiplied: "float", "integers" (bytes, or pairs of 16 bits
/// without VNNI), "bits" (one plane of bits by one of digits -1, 0, 1). Without what the processor
/// or this header lacks.
using Ceilings = std::map<std::string, double>;

#if defined(__x86_64__)

constexpr int chains = 12, rounds = 20000;

#define EDGELOOP_CHAINS(name, instructions, type, start, step) \
    __attribute__((target(instructions))) inline void name() { \
        type sums[chains];                                     \
        for (auto& sum : sums) sum = start;                    \
        for (int i = 0; i < rounds; ++i)                       \
            for (auto& sum : sums) {                           \
                sum = step;                                    \
                __asm__ volatile("" : "+v"(sum));              \
            }                                                  \
    }

#define EDGELOOP_WIDE "avx512f,avx512bw,avx512dq,avx512vl"
EDGELOOP_CHAINS(fma_256, "avx2,fma", __m256, _mm256_set1_ps(1), _mm256_fmadd_ps(sum, sum, sum))
EDGELOOP_CHAINS(fma_512, EDGELOOP_WIDE, __m512, _mm512_set1_ps(1), _mm512_fmadd_ps(sum, sum, sum))
EDGELOOP_CHAINS(pairs_256, "avx2", __m256i, _mm256_set1_epi16(3),
                _mm256_add_epi32(sum, _mm256_madd_epi16(sum, sum)))
EDGELOOP_CHAINS(pairs_512, EDGELOOP_WIDE, __m512i, _mm512_set1_epi16(3),
                _mm512_add_epi32(sum, _mm512_madd_epi16(sum, sum)))
EDGELOOP_CHAINS(bytes_512, EDGELOOP_WIDE ",avx512vnni", __m512i, _mm512_set1_epi8(3),
                _mm512_dpbusd_epi32(sum, sum, sum))
EDGELOOP_CHAINS(counts_512, EDGELOOP_WIDE ",avx512vpopcntdq", __m512i, _mm512_set1_epi64(0x1234567),
                _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_ternarylogic_epi64(sum, sum, sum,
                                                                                    0x78))))

inline double rate_of(double products, void (*body)()) {
    return products * chains * rounds / seconds_of(body, 0.05);
}

inline Ceilings ceilings_of(Instructions instructions) {
    switch (instructions) {
        case Instructions::avx2:
        case Instructions::avx_vnni:
            return {{"float", rate_of(8, fma_256)}, {"integers", rate_of(16, pairs_256)}};
        case Instructions::avx512:
            return {{"float", rate_of(16, fma_512)}, {"integers", rate_of(32, pairs_512)}};
        case Instructions::avx512_vnni:
            return {{"float", rate_of(16, fma_512)}, {"integers", rate_of(64, bytes_512)}};
        case Instructions::avx512_popcnt:
            return {{"float", rate_of(16, fma_512)},
                    {"integers", rate_of(64, bytes_512)},
                    {"bits", rate_of(512, counts_512)}};
        case Instructions::portable:
            break;
    }
    return {};
}

#else
inline Ceilings ceilings_of(Instructions) { return {}; }
#endif

}  // namespace edgeloop::inference
