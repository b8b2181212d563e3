#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace edgeloop {

/// How many candidates a worker may hold, from how long they take: one when they are long, so that
/// none waits behind another while a worker is idle; as many as fill a few milliseconds when they
/// are short, so that messages do not limit the rate.
///
/// The second longest of the latest candidates counts: a single one that was slow because the
/// system ran something else says nothing about the next.
class QueueDepth {
  public:
    /// @param deepest  never more than so many; at least 1.
    explicit QueueDepth(std::size_t deepest = 512) : deepest_(deepest) {}

    [[nodiscard]] std::size_t value() const { return depth_; }

    /// Learns from one completed candidate. Long ones count at once, short ones only after many.
    void learn(double seconds) {
        latest_s_[count_++ % latest_s_.size()] = seconds;
        if (count_ == 1) latest_s_.fill(seconds);
        std::array<double, window> sorted = latest_s_;
        std::nth_element(sorted.begin(), sorted.end() - 2, sorted.end());
        const double usual_s = std::max(sorted[window - 2], target_s / double(deepest_));
        depth_ = std::min(std::size_t(std::max(target_s / usual_s, 1.0)), 2 * depth_);
    }

  private:
    static constexpr double target_s = 10e-3;
    static constexpr std::size_t window = 16;
    std::size_t deepest_;
    std::array<double, window> latest_s_{};
    std::size_t count_ = 0;
    std::size_t depth_ = 1;
};

}  // namespace edgeloop
