#include "deploy/crops.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace edgeloop {
namespace {

constexpr int batch = 32;

/// A bright spot on dark ground that moves in a straight line, as a melt pool does.
void draw_spot(std::uint8_t* window, int frames, RandomStream& random) {
    constexpr double middle = crop_side / 2.0;
    const double size = random.uniform(2, 9), level = random.uniform(80, 400);
    double row = middle + random.uniform(-6, 6), column = middle + random.uniform(-6, 6);
    const double down = random.uniform(-0.8, 0.8), right = random.uniform(-0.8, 0.8);
    for (int frame = 0; frame < frames; ++frame, row += down, column += right)
        for (int y = 0; y < crop_side; ++y)
            for (int x = 0; x < crop_side; ++x) {
                const double square = (y - row) * (y - row) + (x - column) * (x - column);
                const double value = level * std::exp(-square / (size * size));
                *window++ = static_cast<std::uint8_t>(std::min(value, 255.0));
            }
}

void draw_noise(std::uint8_t* window, int frames, RandomStream& random) {
    const std::size_t count = static_cast<std::size_t>(frames) * crop_pixels;
    for (std::size_t i = 0; i < count; ++i)
        window[i] = static_cast<std::uint8_t>(random.below(256));
}

/// Gives a window of the wanted kind, counted from 0: the even edge cases first, then made-up ones.
void draw(std::uint8_t* window, int frames, std::size_t kind, RandomStream& random) {
    const std::size_t count = static_cast<std::size_t>(frames) * crop_pixels;
    // Not the grey that is normalised to nearly 0: norms then divide rounding errors by almost
    // nothing, and two right computations differ.
    constexpr std::uint8_t levels[] = {0, 255, 1, 64, 192, 254};
    if (kind < std::size(levels)) {
        std::fill_n(window, count, levels[kind]);
        return;
    }
    if (kind % 4 == 0)
        draw_noise(window, frames, random);
    else
        draw_spot(window, frames, random);
    if (kind % 4 == 1) {  // as short lines are padded
        const auto kept = static_cast<std::ptrdiff_t>(random.below(std::uint64_t(frames)));
        std::fill(window + kept * std::ptrdiff_t(crop_pixels), window + count, std::uint8_t{0});
    }
}

}  // namespace

const std::uint8_t* Crops::window(std::size_t i) const {
    return pixels.data() + i * static_cast<std::size_t>(frames) * crop_pixels;
}

Crops recorded_crops(const std::shared_ptr<const Dataset>& dataset, SplitPart part,
                     const WindowRule& rule, std::size_t most) {
    Crops crops;
    crops.frames = rule.frames;
    LoaderOptions options;
    options.part = part;
    options.window = rule;
    options.batch = batch;
    options.max_samples = most;
    options.prefetch = 0;
    Loader loader(dataset, options);
    loader.start_epoch(0);
    for (Batch each; loader.next(each);) {
        crops.count += each.samples;
        crops.pixels.insert(crops.pixels.end(), each.pixels.begin(), each.pixels.end());
        crops.targets.insert(crops.targets.end(), each.targets.begin(), each.targets.end());
        crops.lines.insert(crops.lines.end(), each.lines.begin(), each.lines.end());
    }
    return crops;
}

Crops comparison_crops(const Crops& recorded, int frames, std::size_t count) {
    constexpr std::size_t least_drawn = 40;  // of every kind some
    Crops crops;
    crops.frames = frames;
    crops.count = std::max(count, recorded.count + std::min(least_drawn, count));
    const std::size_t size = static_cast<std::size_t>(frames) * crop_pixels;
    crops.pixels.resize(crops.count * size);
    std::copy(recorded.pixels.begin(), recorded.pixels.end(), crops.pixels.begin());
    RandomStream random(1, "clips to compare files with");
    for (std::size_t i = recorded.count; i < crops.count; ++i)
        draw(crops.pixels.data() + i * size, frames, i - recorded.count, random);
    return crops;
}

}  // namespace edgeloop
