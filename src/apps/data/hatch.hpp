#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop {

/// Distance of neighbouring scan lines.
constexpr double hatch_mm = 0.1;

/// A scan line of a layer. Positions are those of the hatch: `along` the lines and, `row` by row,
/// across them.
struct HatchLine {
    int row = 0;
    double from_mm = 0, to_mm = 0;  ///< along; every other row is scanned backwards: to < from
    double angle_rad = 0;           ///< direction of the scan in the image

    [[nodiscard]] double length_mm() const {
        return to_mm > from_mm ? to_mm - from_mm : from_mm - to_mm;
    }
    /// +1 or -1: whether it is scanned along the hatch or against it.
    [[nodiscard]] double direction() const { return to_mm > from_mm ? 1 : -1; }
};

/// All scan lines of a layer, in the order of scanning: the cross-section of a part, hatched back
/// and forth; from one layer to the next the hatch turns by 67 degrees.
///
/// Parts are blocks, cylinders, rings, angles and prisms, whose cross-section changes a little from
/// layer to layer.
///
/// @param size_mm  mean width of a part.
[[nodiscard]] std::vector<HatchLine> hatch_layer(std::uint64_t seed, std::uint32_t object,
                                                 std::uint32_t layer, double size_mm);

}  // namespace edgeloop
