#include "edgeloop/surrogate/belief.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

/// Probability that a standard normal variable is at most z.
double normal_below(double z) { return 0.5 * std::erfc(-z * std::sqrt(0.5)); }

}  // namespace

double Belief::below(double limit) const {
    if (is_known()) return shift_ <= limit ? 1 : 0;
    if (limit <= shift_) return 0;
    return normal_below((std::log(limit - shift_) - location_) / scale_);
}

double Belief::shortfall(double limit) const {
    if (is_known()) return std::max(0.0, limit - shift_);
    const double room = limit - shift_;
    if (room <= 0) return 0;
    const double z = (std::log(room) - location_) / scale_;
    const double below = room * normal_below(z);
    // exp() of a wide belief overflows where it does not matter.
    const double mean = std::exp(std::min(700.0, location_ + scale_ * scale_ / 2));
    return std::max(0.0, below - mean * normal_below(z - scale_));
}

}  // namespace edgeloop
