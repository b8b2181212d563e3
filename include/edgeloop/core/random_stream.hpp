#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace edgeloop {

/// One block of the counter-based generator Philox4x32-10.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
[[nodiscard]] std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                      std::array<std::uint32_t, 2> key);

/// A random stream addressed by name, not by the order in which anything happens.
///
/// Two streams with the same (seed, purpose, generation, individual) give the same numbers on every
/// machine, for any number of ranks and after any resume; two that differ in one part are
/// independent. All distributions are our own because those of the standard library differ between
/// vendors. Period of one stream: 2^34 32-bit words.
class RandomStream {
  public:
    RandomStream(std::uint64_t seed, std::string_view purpose, std::uint32_t generation = 0,
                 std::uint64_t individual = 0);

    [[nodiscard]] std::uint32_t next_u32();
    [[nodiscard]] std::uint64_t next_u64();

    /// Uniform in [0, 1), 53 random bits.
    [[nodiscard]] double uniform();
    /// Uniform in [low, high). REQUIRES: low <= high, both finite.
    [[nodiscard]] double uniform(double low, double high);
    /// Uniform integer in [0, count), without modulo bias. REQUIRES: count > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t count);
    /// Standard normal (Box-Muller; both halves are used).
    [[nodiscard]] double normal();
    /// True with the given probability.
    [[nodiscard]] bool chance(double probability);

    /// Fisher-Yates shuffle.
    template <class T>
    void shuffle(std::vector<T>& items) {
        for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
    }

  private:
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> block_{};
    unsigned used_ = 4;
    bool have_spare_ = false;
    double spare_ = 0;
};

}  // namespace edgeloop
