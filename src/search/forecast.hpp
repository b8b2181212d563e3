#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgeloop {

/// Predicts from the trainings so far how long another one takes, so that none is started that
/// cannot finish.
///
/// With the metric `flops` known, time is taken to grow with FLOPs times epochs, at the slowest
/// rate seen; otherwise the longest training seen counts.
class Forecast {
  public:
    /// @param seconds  its training took.
    void learn(const Candidate& candidate, double seconds) {
        max_seconds_ = std::max(max_seconds_, seconds);
        const double work = work_of(candidate);
        if (work > 0) slowest_rate_ = std::max(slowest_rate_, seconds / work);
    }

    /// Expected seconds; 0 before anything was learnt.
    [[nodiscard]] double seconds(const Candidate& candidate) const {
        const double work = work_of(candidate);
        return work > 0 && slowest_rate_ > 0 ? work * slowest_rate_ : max_seconds_;
    }

    /// Whether this candidate is expected to end in the time left.
    [[nodiscard]] bool fits(const Candidate& candidate, double seconds_left) const {
        return seconds(candidate) <= seconds_left;
    }

    /// FLOPs times epochs that are left; 0 when FLOPs are not known.
    [[nodiscard]] static double work_of(const Candidate& candidate) {
        const auto flops = candidate.known.find("flops");
        if (flops == candidate.known.end()) return 0;
        return flops->second * std::max(1, candidate.epochs - candidate.trained_epochs);
    }

  private:
    double max_seconds_ = 0;
    double slowest_rate_ = 0;  ///< seconds per FLOP and epoch
};

}  // namespace edgeloop
