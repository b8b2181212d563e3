#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// Side of the square that is cut around the melt pool, in pixels.
constexpr int crop_side = 41;
constexpr std::size_t crop_pixels = std::size_t(crop_side) * crop_side;

/// A grey value x as the models see it is (x/255 - mean) / deviation. Default: as published.
struct Normalisation {
    double mean = 0.45;
    double deviation = 0.225;
};

/// Position of a pixel, counted from the top left corner.
struct PixelPosition {
    int row = 0;
    int column = 0;
};

/// Where the square is cut out of the frames of a scan line.
enum class Crop {
    /// Around the middle of the brightest pixels of the line's first frames, which with the default
    /// margin lie before any window: all that a machine has seen when it has to answer.
    causal,
    /// Around the brightest pixel of the mean of all frames. Many pools are saturated, and the
    /// first
    /// of equal pixels lies the higher above the middle the larger the pool is.
    published,
};
[[nodiscard]] const char* name_of(Crop crop);
/// @throws ConfigError  unknown name.
[[nodiscard]] Crop crop_from(const std::string& name);

/// Frames of a line that Crop::causal looks at: as many as lie before the first window.
constexpr std::size_t causal_frames = 6;

/// Mean of some frames of a scan line.
class MeanFrame {
  public:
    MeanFrame(int height, int width);

    /// Adds one frame. Shape (height, width). At most 2^24 frames.
    void add(const std::uint8_t* frame);
    /// The brightest pixel; the first in row-major order on ties.
    [[nodiscard]] PixelPosition brightest() const;
    /// The middle of all pixels within 2 % of the brightest, rounded.
    [[nodiscard]] PixelPosition middle_of_brightest() const;

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
