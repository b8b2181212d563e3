#include "edgeloop/architecture/latency_model.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>

namespace edgeloop {

double analytic_latency_ms(const ArchitectureSpec& spec, const DeviceModel& device) {
    return analytic_latency_ms(count(spec), device);
}

double analytic_latency_ms(const ModelCounts& counts, const DeviceModel& device) {
    if (!(device.gflop_per_s > 0) || !(device.gb_per_s > 0))
        throw ConfigError("the device model's gflop_per_s and gb_per_s must be positive");
    double microseconds = device.base_overhead_us;
    for (const LayerCounts& layer : counts.layers) {
        const double bytes = static_cast<double>(layer.input_bytes + layer.output_bytes +
                                                 std::int64_t{4} * layer.parameters);
        const double arithmetic = static_cast<double>(layer.flops) / (device.gflop_per_s * 1e3);
        const double traffic = bytes / (device.gb_per_s * 1e3);
        microseconds += std::max(arithmetic, traffic) + device.layer_overhead_us;
    }
    return microseconds / 1e3;
}

}  // namespace edgeloop
