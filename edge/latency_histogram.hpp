#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace edgeloop {

/// Durations of any number in memory that does not grow: counts in cells whose width is 1/128 of
/// their lower end at most. The largest is kept as it is.
class LatencyHistogram {
  public:
    void add(std::uint64_t nanoseconds) {
        ++cells_[cell_of(nanoseconds)];
        ++count_;
        if (nanoseconds > worst_) worst_ = nanoseconds;
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t worst() const { return worst_; }

    /// The least duration that a share q of all does not exceed: at most 0.8 % too large. 0 of
    /// none.
    [[nodiscard]] std::uint64_t quantile(double q) const {
        const double rank = q * static_cast<double>(count_);
        std::uint64_t below = 0;
        for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
            below += cells_[cell];
            if (below > 0 && static_cast<double>(below) >= rank) {
                const std::uint64_t end = end_of(cell);
                return end < worst_ ? end : worst_;
            }
        }
        return worst_;
    }

  private:
    static constexpr unsigned exact_bits = 7;

    /// Below 2^8 each has a cell; then 2^7 to each power of two.
    static std::size_t cell_of(std::uint64_t value) {
        unsigned shift = 0;
        while ((value >> shift) >= (std::uint64_t{2} << exact_bits)) ++shift;
        return (std::size_t{shift} << exact_bits) + static_cast<std::size_t>(value >> shift);
    }
    /// The largest value of a cell.
    static std::uint64_t end_of(std::size_t cell) {
        if (cell < (std::size_t{2} << exact_bits)) return cell;
        const std::size_t shift = (cell >> exact_bits) - 1;
        const std::uint64_t high = cell - (shift << exact_bits);
        return ((high + 1) << shift) - 1;
    }

    std::array<std::uint64_t, (64 - exact_bits + 1) << exact_bits> cells_{};
    std::uint64_t count_ = 0, worst_ = 0;
};

}  // namespace edgeloop
