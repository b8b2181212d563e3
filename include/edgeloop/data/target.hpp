#pragma once

#include <string>
#include <vector>

namespace edgeloop {

/// A number to predict for each scan line.
struct Target {
    std::string name, unit;  ///< e.g. "speed" and "mm/s"; without a unit: empty
    double scale = 1;        ///< networks and losses see value / scale

    friend bool operator==(const Target& a, const Target& b) {
        return a.name == b.name && a.unit == b.unit && a.scale == b.scale;
    }
};

/// Name and unit as they stand in the names of metrics: "speed_mm_s", "power_w".
[[nodiscard]] std::string metric_name(const Target& target);

/// For people: "speed in mm/s, power in W".
[[nodiscard]] std::string to_text(const std::vector<Target>& targets);
/// One line's values for people: "speed 700 and power 200".
[[nodiscard]] std::string to_text(const std::vector<Target>& targets, const double* values);

/// Of RAISE-LPBF, in the order of `laser_params`: speed in mm/s and power in W.
[[nodiscard]] const std::vector<Target>& raise_targets();

}  // namespace edgeloop
