#pragma once

#include "edgeloop/core/random_stream.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace edgeloop {

/// Inverse of the standard normal distribution function, limited to +-6.
[[nodiscard]] double normal_quantile(double probability);

/// Lens and chip of a camera. One per thread: it keeps buffers. Images have the shape (height,
/// width), row by row, in grey values.
class Camera {
  public:
    Camera(int height, int width);

    [[nodiscard]] int height() const { return height_; }
    [[nodiscard]] int width() const { return width_; }
    [[nodiscard]] std::size_t pixels() const { return scratch_.size(); }

    /// Gaussian with this standard deviation; edges repeated.
    void blur(std::vector<float>& image, double sigma_px);
    /// Shot and read noise; rounds, and saturates at 255.
    void expose(const std::vector<float>& light, RandomStream& random, std::uint8_t* frame) const;

  private:
    int height_, width_;
    std::vector<float> scratch_;
    std::array<float, 4096> normal_quantiles_{};
};

/// Glowing particles thrown out of the melt pool.
class Spatter {
  public:
    void clear() { particles_.clear(); }
    /// Moves all on by a frame; more power throws more.
    /// @param row, column  of the pool.
    void move(RandomStream& random, const Camera& camera, double row, double column,
              double scan_angle_rad, double power_w);
    void add_to(std::vector<float>& light, const Camera& camera) const;

  private:
    struct Particle {
        double row = 0, column = 0;            ///< now, px
        double row_step = 0, column_step = 0;  ///< px per frame
        double brightness = 0;                 ///< grey values
    };
    std::vector<Particle> particles_;
};

}  // namespace edgeloop
