#include "edgeloop/planning/error_trend.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {

ErrorTrend error_trend(const std::vector<TrainedSize>& designs) {
    ErrorTrend trend;
    if (designs.size() < 3) return trend;
    const auto n = static_cast<double>(designs.size());
    double size_mean = 0, error_mean = 0;
    for (const TrainedSize& each : designs) {
        size_mean += std::log10(each.flops) / n;
        error_mean += std::log(each.error) / n;
    }
    double sizes = 0, both = 0, errors = 0;  // sums of squares and products around the means
    for (const TrainedSize& each : designs) {
        const double size = std::log10(each.flops) - size_mean;
        const double error = std::log(each.error) - error_mean;
        sizes += size * size;
        both += size * error;
        errors += error * error;
    }
    if (sizes == 0) return trend;
    trend.gain = std::max(0.0, -both / sizes);
    trend.scatter =
        std::sqrt(std::max(0.0, errors + trend.gain * (2 * both + trend.gain * sizes)) / n);
    return trend;
}

}  // namespace edgeloop
