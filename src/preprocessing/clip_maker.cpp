#include "edgeloop/preprocessing/clip_maker.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>

namespace edgeloop {

ClipMaker::ClipMaker(int height, int width, int frames, int side,
                     const Normalisation& normalisation)
    : height_(height),
      width_(width),
      frames_(frames),
      clip_pixels_(static_cast<std::size_t>(side) * static_cast<std::size_t>(side)),
      resizer_(crop_side, crop_side, side, normalisation),
      crop_(crop_pixels) {
    EDGELOOP_EXPECT(height > 0 && width > 0 && frames > 0, "a clip needs frames");
}

void ClipMaker::make(const std::uint8_t* camera, float* clip) {
    const std::size_t pixels = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_);
    const auto frames = static_cast<std::size_t>(frames_);
    MeanFrame mean(height_, width_);
    for (std::size_t i = 0; i < std::min(frames, causal_frames); ++i) mean.add(camera + i * pixels);
    const PixelPosition centre = mean.middle_of_brightest();
    for (std::size_t i = 0; i < frames; ++i) {
        crop_frame(camera + i * pixels, height_, width_, centre, crop_.data());
        resizer_.run(crop_.data(), clip + i * clip_pixels_);
    }
}

}  // namespace edgeloop
