#pragma once

#include "edgeloop/preprocessing/frames.hpp"

#include <cstdint>
#include <memory>

namespace edgeloop {

/// Normalises and resizes bilinearly (half-pixel centres, no antialias) in one pass, images of one
/// size. What depends on the sizes alone is worked out once.
class Resizer {
  public:
    /// @param side  height and width of the results.
    Resizer(int input_height, int input_width, int side, const Normalisation& normalisation = {});
    ~Resizer();
    Resizer(const Resizer&) = delete;
    Resizer& operator=(const Resizer&) = delete;

    /// @param image  shape (input_height, input_width).
    /// @param out    shape (side, side), float32; the caller's memory.
    void run(const std::uint8_t* image, float* out);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
