#pragma once

#include "edgeloop/preprocessing/resize.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop {

/// The work of a deployed program with the frames of one clip, for measuring it: finds where the
/// first of them are brightest, as Crop::causal does with those of a line, cuts a square around it
/// out of each, normalises and resizes these.
class ClipMaker {
  public:
    /// @param height, width  of the camera's frames.   @param frames, side  of the clip.
    ClipMaker(int height, int width, int frames, int side, const Normalisation& normalisation = {});

    /// @param camera  shape (frames, height, width).
    /// @param clip    shape (frames, side, side); the caller's memory.
    void make(const std::uint8_t* camera, float* clip);

  private:
    int height_, width_, frames_;
    std::size_t clip_pixels_;  ///< of one frame of the clip
    Resizer resizer_;
    std::vector<std::uint8_t> crop_;
};

}  // namespace edgeloop
