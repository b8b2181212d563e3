#pragma once

#include "apps/data/camera.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop {

constexpr double frames_per_second = 20000;
constexpr double pixel_pitch_m = 10e-6;

// 316L stainless steel.
constexpr double conductivity = 28;                      // W/(m K)
constexpr double diffusivity = 28.0 / (7700.0 * 600.0);  // m^2/s
constexpr double boiling_cap_k = 3100;
constexpr double dark_below_k = 1000;  // emission there is below 2e-5 of that at the cap

/// What the laser does along one scan line.
struct LaserParameters {
    double speed_mm_s = 0;
    double power_w = 0;
};

/// Speed uniform in 300..1500 mm/s, power in 100..350 W, independent.
[[nodiscard]] LaserParameters random_laser(RandomStream& random);

/// What differs between objects and layers, besides speed and power: the slow drifts of a machine.
struct MachineState {
    double absorptivity = 0.35;
    double ambient_k = 353;                    ///< plate and heat built up by the layers below
    double gain = 1;                           ///< camera and soiling of the optics
    double blur_px = 1.1;                      ///< standard deviation of the optical blur
    double background_dn = 6;                  ///< grey values without any light
    double source_row = 0, source_column = 0;  ///< where the laser points, from the image centre
    double scan_angle_rad = 0;
};

/// State of the machine for one layer; the scan direction turns by 67 degrees a layer.
[[nodiscard]] MachineState machine_state(std::uint64_t seed, std::uint32_t object,
                                         std::uint32_t layer);

/// Number of frames of a scan line at 20 000 frames/s, at least 1.
[[nodiscard]] std::size_t frames_of_line(double length_mm, double speed_mm_s);

/// Share of the steady temperature rise in frame `i` of `count`: heats up at the start, cools down
/// after the laser went off at the turn-point.
[[nodiscard]] double heat_in_frame(std::size_t i, std::size_t count);

/// Temperature around a moving point source at the origin, on the surface, in K.
///
/// @param along   distance ahead of the source in the direction of the scan, m.
/// @param across  distance to its side, m.
/// Source: Rosenthal, Trans. ASME 68, 1946; distance smoothed by the spot's radius.
[[nodiscard]] double temperature_rise(const LaserParameters& laser, double absorptivity,
                                      double along, double across);

/// Light of a surface at `kelvin` in the camera's band, 1 at the boiling cap (Wien).
[[nodiscard]] double emission(double kelvin);

/// Draws the frames of scan lines. One per thread: it keeps buffers.
class MeltPoolCamera {
  public:
    MeltPoolCamera(int height, int width);

    /// @param random  all randomness of the line.
    /// @param frames  shape (count, height, width); overwritten.
    void draw_line(const LaserParameters& laser, const MachineState& machine, bool reversed,
                   RandomStream random, std::size_t count, std::uint8_t* frames);

  private:
    void compute_rise(const LaserParameters& laser, const MachineState& machine, double angle);
    /// Blurred emission with the temperature rise scaled by `heat` (1: steady state).
    void compute_glow(const MachineState& machine, double heat);
    void compute_plume(const MachineState& machine, double angle, double power_w);

    Camera camera_;
    double source_row_ = 0, source_column_ = 0;
    double heat_of_glow_ = -1;
    std::vector<float> rise_, glow_, plume_, light_;
    Spatter spatter_;
};

}  // namespace edgeloop
