#pragma once

#include "edgeloop/architecture/counts.hpp"

namespace edgeloop {

/// A device as a roofline: a layer takes the longer of its arithmetic and its memory traffic, plus
/// a fixed overhead. The defaults resemble a small ARM board with four cores.
struct DeviceModel {
    double gflop_per_s = 40;        ///< sustained float32 matrix product rate
    double gb_per_s = 8;            ///< sustained memory bandwidth
    double layer_overhead_us = 10;  ///< dispatch of one layer
    double base_overhead_us = 100;  ///< per inference
};

/// Modelled (never measured) latency of one clip, batch 1.
///
/// Depends on the spec and the device model alone, so runs that use it can be repeated to the bit.
/// @throws ConfigError  the spec is not one that can be built, or a rate is not positive.
[[nodiscard]] double analytic_latency_ms(const ArchitectureSpec& spec, const DeviceModel& device);
/// The same from counts at hand.
[[nodiscard]] double analytic_latency_ms(const ModelCounts& counts, const DeviceModel& device);

}  // namespace edgeloop
