#include "regression_sums.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/data/preprocessing.hpp"

#include <cmath>

namespace edgeloop {
namespace {

struct TargetSums {
    double squared_error, sum, squared_sum;
};

/// 1 - residual / variance, both as sums over `count` samples.
void add_r2(Metrics& metrics, const char* name, const TargetSums& sums, double count) {
    const double variation = sums.squared_sum - sums.sum * sums.sum / count;
    if (variation > 0) metrics[name] = 1 - sums.squared_error / variation;
}

}  // namespace

void RegressionSums::add(const float* predicted, const float* target, std::size_t count) {
    values[0] += double(count);
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t t = 0; t < 2; ++t) {
            const double wanted = target[2 * i + t];
            const double error = predicted[2 * i + t] - wanted;
            values[1 + 3 * t] += error * error;
            values[2 + 3 * t] += wanted;
            values[3 + 3 * t] += wanted * wanted;
        }
}

Metrics RegressionSums::metrics() const {
    const double count = values[0];
    EDGELOOP_EXPECT(count > 0, "metrics need a sample");
    const TargetSums speed{values[1], values[2], values[3]};
    const TargetSums power{values[4], values[5], values[6]};
    Metrics metrics;
    metrics["val_rmse"] = std::sqrt((speed.squared_error + power.squared_error) / (2 * count));
    metrics["val_rmse_speed_mm_s"] = std::sqrt(speed.squared_error / count) * speed_scale_mm_s;
    metrics["val_rmse_power_w"] = std::sqrt(power.squared_error / count) * power_scale_w;
    add_r2(metrics, "r2_speed", speed, count);
    add_r2(metrics, "r2_power", power, count);
    return metrics;
}

}  // namespace edgeloop
