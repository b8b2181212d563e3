#include "data/augment.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

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

void turn_clip(std::uint8_t* clip, int frames, int side, int symmetry) {
    for (int i = 0; i < frames; ++i) {
        std::uint8_t* frame = clip + std::ptrdiff_t(i) * side * side;
        if ((symmetry & 4) != 0) transpose(frame, side);
        if ((symmetry & 1) != 0) flip_left_right(frame, side);
        if ((symmetry & 2) != 0) flip_up_down(frame, side);
    }
}

}  // namespace edgeloop
