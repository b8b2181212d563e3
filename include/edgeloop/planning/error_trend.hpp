#pragma once

#include <vector>

namespace edgeloop {

/// A design that was trained: how large, how good.
struct TrainedSize {
    double flops = 0;  ///< of a forward pass over one clip
    double error = 0;  ///< e.g. val_rmse; positive
};

/// Errors of designs over their FLOPs: log(error) falls by `gain` with each factor of ten and
/// scatters around that line with standard deviation `scatter`.
struct ErrorTrend {
    double gain = 0;
    double scatter = 0.2;
};

/// Least squares over designs that were trained for a short time. That larger ones err more is
/// taken for a sign of too short a training and not believed: the gain is 0 then. With fewer than
/// three designs, or designs of one size, the trend of ErrorTrend{}.
[[nodiscard]] ErrorTrend error_trend(const std::vector<TrainedSize>& designs);

}  // namespace edgeloop
