#include "edgeloop/preprocessing/frames.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

void transpose(std::uint8_t* frame, std::ptrdiff_t side) {
    for (std::ptrdiff_t row = 0; row < side; ++row)
        for (std::ptrdiff_t column = row + 1; column < side; ++column)
            std::swap(frame[row * side + column], frame[column * side + row]);
}

void flip_left_right(std::uint8_t* frame, std::ptrdiff_t side) {
    for (std::ptrdiff_t row = 0; row < side; ++row)
        std::reverse(frame + row * side, frame + (row + 1) * side);
}

void flip_up_down(std::uint8_t* frame, std::ptrdiff_t side) {
    for (std::ptrdiff_t row = 0; row < side / 2; ++row)
        std::swap_ranges(frame + row * side, frame + (row + 1) * side,
                         frame + (side - 1 - row) * side);
}

}  // namespace

const char* name_of(Crop crop) { return crop == Crop::causal ? "causal" : "published"; }

Crop crop_from(const std::string& name) {
    for (const Crop crop : {Crop::causal, Crop::published})
        if (name == name_of(crop)) return crop;
    throw ConfigError(fmt::format("unknown crop '{}'", name), {}, "use causal or published");
}

MeanFrame::MeanFrame(int height, int width)
    : width_(width), sums_(static_cast<std::size_t>(height) * static_cast<std::size_t>(width)) {}

void MeanFrame::add(const std::uint8_t* frame) {
    for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += frame[i];
}

PixelPosition MeanFrame::brightest() const {
    const auto index =
        static_cast<int>(std::max_element(sums_.begin(), sums_.end()) - sums_.begin());
    return {index / width_, index % width_};
}

PixelPosition MeanFrame::middle_of_brightest() const {
    const std::uint32_t top = *std::max_element(sums_.begin(), sums_.end());
    const std::uint32_t enough = top - top / 50;
    std::size_t count = 0, rows = 0, columns = 0;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
        if (sums_[i] < enough) continue;
        ++count;
        rows += i / std::size_t(width_);
        columns += i % std::size_t(width_);
    }
    return {static_cast<int>((rows + count / 2) / count),
            static_cast<int>((columns + count / 2) / count)};
}

void crop_frame(const std::uint8_t* frame, int height, int width, PixelPosition centre,
                std::uint8_t* crop) {
    const int top = centre.row - crop_side / 2, left = centre.column - crop_side / 2;
    const int first = std::clamp(-left, 0, crop_side);
    const int last = std::clamp(width - left, first, crop_side);
    for (int row = 0; row < crop_side; ++row) {
        std::uint8_t* out = crop + std::ptrdiff_t(row) * crop_side;
        const int y = top + row;
        if (y < 0 || y >= height) {
            std::memset(out, 0, crop_side);
            continue;
        }
        std::memset(out, 0, static_cast<std::size_t>(first));
        std::memcpy(out + first, frame + std::ptrdiff_t(y) * width + (left + first),
                    static_cast<std::size_t>(last - first));
        std::memset(out + last, 0, static_cast<std::size_t>(crop_side - last));
    }
}

void turn_clip(std::uint8_t* clip, int frames, int side, int symmetry) {
    for (int i = 0; i < frames; ++i) {
        std::uint8_t* frame = clip + std::ptrdiff_t(i) * side * side;
        if ((symmetry & 4) != 0) transpose(frame, side);
        if ((symmetry & 1) != 0) flip_left_right(frame, side);
        if ((symmetry & 2) != 0) flip_up_down(frame, side);
    }
}

}  // namespace edgeloop
