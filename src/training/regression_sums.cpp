#include "regression_sums.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>

namespace edgeloop {

void RegressionSums::add(const float* predicted, const float* expected, std::size_t count) {
    values[0] += double(count);
    for (std::size_t i = 0; i < count * targets.size(); ++i) {
        double* sums = values.data() + 1 + 3 * (i % targets.size());
        const double wanted = expected[i], error = predicted[i] - wanted;
        sums[0] += error * error;
        sums[1] += wanted;
        sums[2] += wanted * wanted;
    }
}

Metrics RegressionSums::metrics() const {
    const double count = values[0];
    EDGELOOP_EXPECT(count > 0, "metrics need a sample");
    Metrics metrics;
    double all_squared_errors = 0;
    for (std::size_t t = 0; t < targets.size(); ++t) {
        const double squared_error = values[1 + 3 * t], sum = values[2 + 3 * t];
        all_squared_errors += squared_error;
        metrics["val_rmse_" + metric_name(targets[t])] =
            std::sqrt(squared_error / count) * targets[t].scale;
        const double squares = values[3 + 3 * t], variation = squares - sum * sum / count;
        constexpr double rounding = 1e-12;
        if (variation > rounding * squares)
            metrics["r2_" + targets[t].name] = 1 - squared_error / variation;
    }
    metrics["val_rmse"] = std::sqrt(all_squared_errors / (double(targets.size()) * count));
    return metrics;
}

}  // namespace edgeloop
