#pragma once

#include <algorithm>
#include <cstddef>

namespace edgeloop {

/// How many candidates a worker may hold, from how long they take: one when they are long, so that
/// none waits behind another while a worker is idle; as many as fill a few milliseconds when they
/// are short, so that messages do not limit the rate.
class QueueDepth {
  public:
    [[nodiscard]] std::size_t value() const { return depth_; }

    /// Learns from one completed candidate. A long one counts at once, short ones only after many.
    void learn(double seconds) {
        longest_s_ = std::max(seconds, longest_s_ * decay);
        const double wanted = target_s / std::max(longest_s_, target_s / double(deepest));
        depth_ = std::min(std::size_t(std::max(wanted, 1.0)), 2 * depth_);
    }

  private:
    static constexpr double target_s = 10e-3;
    static constexpr double decay = 0.9;
    static constexpr std::size_t deepest = 512;
    double longest_s_ = 0;
    std::size_t depth_ = 1;
};

}  // namespace edgeloop
