#pragma once

#include "edgeloop/data/target.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace edgeloop {

/// What a network said of some windows, and what was true.
struct ScoredWindows {
    std::vector<Target> targets;
    /// Of each window, any numbers. Windows of one group resemble each other, so that resampling
    /// draws them together.
    std::vector<std::uint64_t> groups;
    std::vector<float> predicted, expected;  ///< (windows, targets), divided by their scales

    [[nodiscard]] std::size_t windows() const { return groups.size(); }
};

/// A number with the interval that holds 95 % of what resampling gives. Not a number where it is
/// not defined, as the coefficient of determination of a target that does not vary.
struct Estimate {
    double value = std::numeric_limits<double>::quiet_NaN();
    double low = value, high = value;
};

struct Bootstrap {
    int resamples = 2000;
    std::uint64_t seed = 1;  ///< the same draws for all that have the same groups
};

struct TargetScore {
    Estimate rmse;  ///< divided by the target's scale
    Estimate r2;    ///< coefficient of determination
};

struct Scores {
    std::size_t windows = 0, groups = 0;
    Estimate rmse;  ///< of all normalised targets together, as val_rmse of a training
    std::vector<TargetScore> targets;
};

/// Percentile intervals of the cluster bootstrap: whole groups are drawn with replacement.
/// Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, sections 3.8, 5.3.
/// REQUIRES: a window.
[[nodiscard]] Scores scores_of(const ScoredWindows& windows, const Bootstrap& bootstrap);

/// Root mean square errors of one network over those of another.
struct RmseRatio {
    std::size_t windows = 0, groups = 0;
    Estimate all;                   ///< of all normalised targets together
    std::vector<Estimate> targets;  ///< of each
};

/// Both networks get the same draws, so that what makes a window hard for both is no noise.
/// REQUIRES: the same windows, in the same order and groups; at least one.
[[nodiscard]] RmseRatio rmse_ratio(const ScoredWindows& of, const ScoredWindows& over,
                                   const Bootstrap& bootstrap);

/// Errors of the windows of which one target lies between two values.
struct ErrorBin {
    double from = 0, to = 0;  ///< of the target, in its unit; `to` belongs to the next bin
    std::size_t windows = 0;
    std::vector<double> rmse,
        bias;  ///< of each target, in its unit; bias: mean of predicted - true
};

/// Over the range of a target, in some 5 to 11 bins of equal width with round borders; bins without
/// a window are left out.
[[nodiscard]] std::vector<ErrorBin> bins_over(const ScoredWindows& windows, std::size_t target);

}  // namespace edgeloop
