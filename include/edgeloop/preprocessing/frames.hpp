#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop {

/// Side of the square that is cut around the melt pool, in pixels.
constexpr int crop_side = 41;
constexpr std::size_t crop_pixels = std::size_t(crop_side) * crop_side;

/// A pixel as the models see it is (x/255 - pixel_mean) / pixel_deviation.
constexpr float pixel_mean = 0.45F;
constexpr float pixel_deviation = 0.225F;

/// Position of a pixel, counted from the top left corner.
struct PixelPosition {
    int row = 0;
    int column = 0;
};

/// Brightest pixel of the mean frame of a scan line; the first in row-major order on ties.
class MeanFrame {
  public:
    MeanFrame(int height, int width);

    /// Adds one frame. Shape (height, width). At most 2^24 frames.
    void add(const std::uint8_t* frame);
    [[nodiscard]] PixelPosition brightest() const;

  private:
    int width_;
    std::vector<std::uint32_t> sums_;
};

/// Cuts crop_side x crop_side pixels centred at `centre`; zeros outside the image.
///
/// @param frame  shape (height, width).
/// @param crop   shape (crop_side, crop_side); overwritten.
void crop_frame(const std::uint8_t* frame, int height, int width, PixelPosition centre,
                std::uint8_t* crop);

/// Applies one of the eight symmetries of the square to every frame of a clip, in place.
///
/// No target depends on the direction of the scan in the image.
///
/// @param clip      shape (frames, side, side).
/// @param symmetry  0..7: bit 0 flips left-right, bit 1 up-down, bit 2 swaps rows and columns
///                  (first). 0 changes nothing.
void turn_clip(std::uint8_t* clip, int frames, int side, int symmetry);

}  // namespace edgeloop
