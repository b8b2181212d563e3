#include "edgeloop/data/pixel_statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_lines = 500, frame_step = 4;

double rounded(double value) { return std::strtod(fmt::format("{:.3g}", value).c_str(), nullptr); }

}  // namespace

Normalisation pixel_statistics(const Dataset& dataset) {
    const std::vector<Sample>& lines = dataset.samples(SplitPart::train);
    const std::size_t step = std::max<std::size_t>(1, (lines.size() + max_lines - 1) / max_lines);
    std::array<std::uint64_t, 256> counts{};
    for (std::size_t i = 0; i < lines.size(); i += step)
        for (std::uint64_t frame = 0; frame < lines[i].frames; frame += frame_step) {
            const std::uint8_t* pixels = lines[i].pixels + frame * crop_pixels;
            for (std::size_t p = 0; p < crop_pixels; ++p) ++counts[pixels[p]];
        }
    double n = 0, sum = 0, squares = 0;
    for (std::size_t grey = 0; grey < counts.size(); ++grey) {
        const double count = double(counts[grey]), value = double(grey) / 255;
        n += count;
        sum += count * value;
        squares += count * value * value;
    }
    if (n == 0) return {};
    const double mean = sum / n, variance = squares / n - mean * mean;
    // Less than half a grey value: nothing to be seen.
    if (variance < 4e-6) return {};
    return {rounded(mean), rounded(std::sqrt(variance))};
}

}  // namespace edgeloop
