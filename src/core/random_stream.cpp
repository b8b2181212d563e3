#include "edgeloop/core/random_stream.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>

namespace edgeloop {
namespace {

// SplitMix64's finaliser: spreads the bits of seed and purpose over the whole key.
std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

// FNV-1a, 64 bits: short and fixed for ever; the purpose's name is part of every stored result.
std::uint64_t name_hash(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    return hash;
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c,
                                        std::array<std::uint32_t, 2> k) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
        c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
             static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    return c;
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view purpose, std::uint32_t generation,
                           std::uint64_t individual)
    : counter_{0, static_cast<std::uint32_t>(individual),
               static_cast<std::uint32_t>(individual >> 32), generation} {
    const std::uint64_t key = mix(mix(seed) ^ name_hash(purpose));
    key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
}

std::uint32_t RandomStream::next_u32() {
    if (used_ == 4) {
        block_ = philox4x32(counter_, key_);
        ++counter_[0];
        used_ = 0;
    }
    return block_[used_++];
}

std::uint64_t RandomStream::next_u64() {
    const std::uint64_t low = next_u32();
    return low | (std::uint64_t{next_u32()} << 32);
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double RandomStream::uniform(double low, double high) {
    EDGELOOP_EXPECT(low <= high, "uniform() needs low <= high");
    return low + (high - low) * uniform();
}

std::uint64_t RandomStream::below(std::uint64_t count) {
    EDGELOOP_EXPECT(count > 0, "below() needs a positive count");
    // Numbers under 2^64 mod count are rejected, which leaves a multiple of count.
    const std::uint64_t threshold = (0 - count) % count;
    std::uint64_t x = next_u64();
    while (x < threshold) x = next_u64();
    return x % count;
}

double RandomStream::normal() {
    if (have_spare_) {
        have_spare_ = false;
        return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 6.283185307179586477 * uniform();
    spare_ = radius * std::sin(angle);
    have_spare_ = true;
    return radius * std::cos(angle);
}

bool RandomStream::chance(double probability) { return uniform() < probability; }

}  // namespace edgeloop
