#include "apps/data/hatch.hpp"

#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

constexpr double rotation_per_layer_rad = 67.0 * pi / 180.0;
constexpr double shortest_mm = 0.15;  // shorter ones are left to the contour

struct Corner {
    double x = 0, y = 0;
};
/// Closed outlines; what lies inside an odd number of them is solid.
using Section = std::vector<std::vector<Corner>>;

std::vector<Corner> regular(int corners, double radius) {
    std::vector<Corner> outline;
    for (int i = 0; i < corners; ++i) {
        const double angle = 2 * pi * (i + 0.5) / corners;
        outline.push_back({radius * std::cos(angle), radius * std::sin(angle)});
    }
    return outline;
}

/// About 1 wide.
Section shape_of(std::uint64_t kind) {
    switch (kind) {
        case 0:
            return {{{-0.5, -0.5}, {0.5, -0.5}, {0.5, 0.5}, {-0.5, 0.5}}};
        case 1:
            return {regular(36, 0.55)};
        case 2:
            return {regular(36, 0.65), regular(24, 0.22)};
        case 3:
            return {{{-0.6, -0.6}, {0.6, -0.6}, {0.6, 0}, {0, 0}, {0, 0.6}, {-0.6, 0.6}}};
        default:
            return {regular(6, 0.58)};
    }
}

Section section_of(std::uint64_t seed, std::uint32_t object, std::uint32_t layer, double size_mm) {
    RandomStream random(seed, "synth part", object);
    Section section = shape_of(random.below(5));
    const double aspect = random.uniform(0.7, 1.4), turn = random.uniform(0, 2 * pi);
    const double wave = random.uniform(0, 2 * pi);
    const double scale =
        size_mm * random.uniform(0.8, 1.2) * (1 + 0.1 * std::sin(wave + 0.3 * layer));
    for (std::vector<Corner>& outline : section)
        for (Corner& corner : outline) {
            const double x = scale * corner.x * aspect, y = scale * corner.y / aspect;
            corner = {x * std::cos(turn) - y * std::sin(turn),
                      x * std::sin(turn) + y * std::cos(turn)};
        }
    return section;
}

/// Where a hatch line at `across` enters and leaves the section, ascending.
std::vector<double> crossings(const Section& section, double across) {
    std::vector<double> along;
    for (const std::vector<Corner>& outline : section)
        for (std::size_t i = 0; i < outline.size(); ++i) {
            const Corner& a = outline[i];
            const Corner& b = outline[(i + 1) % outline.size()];
            if ((a.y <= across) == (b.y <= across)) continue;
            along.push_back(a.x + (across - a.y) / (b.y - a.y) * (b.x - a.x));
        }
    std::sort(along.begin(), along.end());
    return along;
}

}  // namespace

std::vector<HatchLine> hatch_layer(std::uint64_t seed, std::uint32_t object, std::uint32_t layer,
                                   double size_mm) {
    Section section = section_of(seed, object, layer, size_mm);
    const double angle = RandomStream(seed, "synth hatch", object).uniform(0, 2 * pi) +
                         rotation_per_layer_rad * layer;
    double low = 0, high = 0;
    for (std::vector<Corner>& outline : section)
        for (Corner& corner : outline) {
            corner = {corner.x * std::cos(angle) + corner.y * std::sin(angle),
                      corner.y * std::cos(angle) - corner.x * std::sin(angle)};
            low = std::min(low, corner.y);
            high = std::max(high, corner.y);
        }
    std::vector<HatchLine> lines;
    const int rows = static_cast<int>((high - low) / hatch_mm);
    for (int row = 0; row < rows; ++row) {
        const bool back = row % 2 == 1;
        std::vector<double> along = crossings(section, low + (row + 0.5) * hatch_mm);
        if (back) std::reverse(along.begin(), along.end());
        for (std::size_t i = 0; i + 1 < along.size(); i += 2)
            if (std::abs(along[i + 1] - along[i]) >= shortest_mm)
                lines.push_back({row, along[i], along[i + 1], angle + (back ? pi : 0)});
    }
    return lines;
}

}  // namespace edgeloop
