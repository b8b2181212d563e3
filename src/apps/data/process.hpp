#pragma once

#include "apps/data/camera.hpp"
#include "apps/data/hatch.hpp"
#include "apps/data/melt_pool.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// What disturbs a recording, or tells about the process besides the shape of the pool; each can be
/// left out. src/apps/data/README.md says where each comes from.
enum class Effect {
    emissivity,   ///< and exposure: brightness drifts between objects, layers and lines
    focus,        ///< blur drifts between objects and layers
    pointing,     ///< the pool lies off the axis, elsewhere for each object, layer and line
    vignetting,   ///< less light away from the axis
    heat,         ///< of neighbouring lines and of short returns
    plume,        ///< glows, and takes light away
    spatter,      ///< hot particles in front of the pool
    flicker,      ///< of the laser and of the absorbed power
    oscillation,  ///< of the pool: the larger it is, the slower
    surface,      ///< bright and dark spots on the track that the camera travels along
    saturation,   ///< the hottest pools are brighter than 255
    dead_pixels,  ///< a few pixels are dark or too bright
};
using Effects = std::set<Effect>;

[[nodiscard]] Effects all_effects();
/// @param names  of effects to keep, "all", or "none". @throws ConfigError
[[nodiscard]] Effects effects_from(const std::vector<std::string>& names);
/// All names, separated by blanks.
[[nodiscard]] std::string effect_names();

/// Between which quantiles the drifts of objects lie; 0 and 1: anywhere.
struct DriftRange {
    double low = 0, high = 1;
};

/// The machine and its camera while a layer is made.
struct LayerConditions {
    MachineState machine;
    double vignetting = 0;                     ///< light lost at 32 pixels from its centre
    double centre_row = 0, centre_column = 0;  ///< of the vignetting, from the image centre
};
[[nodiscard]] LayerConditions layer_conditions(std::uint64_t seed, std::uint32_t object,
                                               std::uint32_t layer, const Effects& effects,
                                               DriftRange drift);

/// A scan line in the course of its layer.
struct ProcessLine {
    HatchLine hatch;
    LaserParameters laser;
    double begin_s = 0;  ///< since the layer began
    std::size_t frames = 0;

    [[nodiscard]] double duration_s() const { return hatch.length_mm() / laser.speed_mm_s; }
};
/// The lines of a layer with speed and power, uniform and independent of everything else.
///
/// @param count  lines wanted: the part is there so often that there are as many or more.
[[nodiscard]] std::vector<ProcessLine> plan_layer(std::uint64_t seed, std::uint32_t object,
                                                  std::uint32_t layer, double size_mm,
                                                  std::size_t count);

/// Rise of temperature at a point, in K, by lines that were scanned before.
///
/// @param line, along_mm, across_mm  the point: along the line's hatch, and to the left of its
/// scan.
/// @param now_s  since the layer began.
/// Source: instantaneous line source on a half space, Carslaw and Jaeger, "Conduction of heat in
/// solids", 2nd ed., 10.3.
[[nodiscard]] double heat_left(const std::vector<ProcessLine>& lines, std::size_t line,
                               double absorptivity, double along_mm, double across_mm,
                               double now_s);

/// Frequency in Hz at which surface tension swings a pool of that width: omega^2 = sigma / (rho
/// r^3) for half the width r, up to a factor of its shape.
[[nodiscard]] double pool_frequency(const LaserParameters& laser, double absorptivity);

/// Draws the frames of scan lines of version 2. One per thread: it keeps buffers.
class ProcessCamera {
  public:
    /// @param seed  of the camera's dead pixels and of the spots on the tracks.
    ProcessCamera(int height, int width, std::uint64_t seed, Effects effects);

    /// @param line    index into `lines`, the layer.
    /// @param random  all randomness of the line.
    /// @param frames  shape (lines[line].frames, height, width); overwritten.
    void draw_line(const std::vector<ProcessLine>& lines, std::size_t line,
                   const LayerConditions& conditions, RandomStream random, std::uint8_t* frames);

  private:
    struct DeadPixel {
        std::size_t at = 0;
        int added = 0;  ///< grey values; the frame's own count nothing when negative
    };

    [[nodiscard]] bool has(Effect effect) const { return effects_.count(effect) > 0; }
    void place(double angle, double row, double column, const LayerConditions& conditions);
    void heat_up(const ProcessLine& line, double absorptivity);
    void warm_by_neighbours(const std::vector<ProcessLine>& lines, std::size_t line,
                            double absorptivity, double now_s);
    void glow(double ambient_k, double heat, double travelled_px, double full_dn);
    [[nodiscard]] float spot(double along_px, double across_px) const;
    void mark_dead_pixels(std::uint8_t* frame) const;

    Camera camera_;
    Effects effects_;
    std::vector<DeadPixel> dead_;
    std::vector<float> spots_;  ///< standard normal, smooth, repeated in both directions
    std::vector<float> emission_;
    Spatter spatter_;
    /// Of each pixel: position from the pool in pixels, ahead and to the left of the scan.
    std::vector<float> ahead_, left_;
    std::vector<float> rise_, light_, lens_, plume_;
    std::vector<float> neighbours_;  ///< rise of temperature by position to the left
    double spot_along_ = 0, spot_across_ = 0;
};

}  // namespace edgeloop
