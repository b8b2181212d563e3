#pragma once

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/data/loader.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace edgeloop {

/// Windows of crops: (count, frames, crop_side, crop_side).
struct Crops {
    int frames = 0;
    std::size_t count = 0;
    std::vector<std::uint8_t> pixels;
    std::vector<float> targets;        ///< (count, targets), divided by their scales; or empty
    std::vector<std::uint64_t> lines;  ///< numbers of scan lines; or empty

    [[nodiscard]] const std::uint8_t* window(std::size_t i) const;
};

/// Of lines of a part, at most so many: a choice that is always the same. None where the part has
/// none.
[[nodiscard]] Crops recorded_crops(const std::shared_ptr<const Dataset>& dataset, SplitPart part,
                                   const WindowRule& rule, std::size_t most);

/// At least `count` windows: the recorded ones, as far as there is room, then black, saturated and
/// grey ones, windows that end in black frames, noise, and bright spots that move.
[[nodiscard]] Crops comparison_crops(const Crops& recorded, int frames, std::size_t count);

}  // namespace edgeloop
