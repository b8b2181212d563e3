#pragma once

#include <cstdint>

namespace edgeloop {

/// Applies one of the eight symmetries of the square to every frame of a clip, in place.
///
/// Speed and power do not depend on the direction of the scan in the image.
///
/// @param clip      shape (frames, side, side).
/// @param symmetry  0..7: bit 0 flips left-right, bit 1 up-down, bit 2 swaps rows and columns
///                  (first). 0 changes nothing.
void turn_clip(std::uint8_t* clip, int frames, int side, int symmetry);

}  // namespace edgeloop
