#pragma once

#include <cmath>

namespace edgeloop {

/// What is believed of one number: `shift` plus a log-normal variable; or it is known.
///
/// Errors and latencies are positive and skewed. What counts is how far they are from the best, so
/// the shift lies below the best seen rather than at 0.
class Belief {
  public:
    /// A number that is known.
    static Belief known(double value) { return {value, 0, 0}; }
    /// shift + exp(N(location, scale²)). REQUIRES: scale > 0.
    static Belief log_normal(double shift, double location, double scale) {
        return {shift, location, scale};
    }

    [[nodiscard]] bool is_known() const { return scale_ <= 0; }
    [[nodiscard]] double median() const {
        return is_known() ? shift_ : shift_ + std::exp(location_);
    }
    /// The value that is not exceeded when a standard normal variable is at most z.
    [[nodiscard]] double quantile(double z) const {
        return is_known() ? shift_ : shift_ + std::exp(location_ + z * scale_);
    }
    /// Probability of being at most `limit`.
    [[nodiscard]] double below(double limit) const;
    /// Mean of max(0, limit - value): by how much it is expected to be below.
    [[nodiscard]] double shortfall(double limit) const;

    [[nodiscard]] double shift() const { return shift_; }
    [[nodiscard]] double location() const { return location_; }
    [[nodiscard]] double scale() const { return scale_; }

  private:
    Belief(double shift, double location, double scale)
        : shift_(shift), location_(location), scale_(scale) {}

    double shift_, location_, scale_;
};

}  // namespace edgeloop
