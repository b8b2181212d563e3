#include "apps/data/melt_pool.hpp"

#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

constexpr double spot_radius_m = 18e-6;
constexpr double wien_k = 0.0143878 / 850e-9;  // second radiation constant over the band's centre
constexpr double full_glow_dn = 290;           // above 255: the hottest part saturates
constexpr double rotation_per_layer_rad = 67.0 * pi / 180.0;

constexpr double heating_frames = 1.6;  // time constant of the start of a line
constexpr double cooling_frames = 2.5;  // of its end, laser off
constexpr std::size_t frames_after_laser_off = 2;

constexpr double flicker_deviation = 0.05, flicker_memory = 0.7;

}  // namespace

MachineState machine_state(std::uint64_t seed, std::uint32_t object, std::uint32_t layer) {
    MachineState state;
    RandomStream of_object(seed, "synth object", object);
    state.absorptivity = 0.35 * (1 + 0.02 * of_object.normal());
    state.gain = 1 + 0.03 * of_object.normal();
    state.blur_px = 1.1 + 0.1 * std::clamp(of_object.normal(), -2.0, 2.0);
    state.background_dn = 6 + of_object.uniform(-1.5, 1.5);
    state.source_row = of_object.uniform(-3, 3);
    state.source_column = of_object.uniform(-3, 3);
    state.scan_angle_rad = of_object.uniform(0, 2 * pi) + rotation_per_layer_rad * layer;
    RandomStream of_layer(seed, "synth layer", object, layer);
    state.ambient_k = 353 + 60 * (1 - std::exp(-double(layer) / 40)) + 5 * of_layer.normal();
    state.gain *=
        (1 - 0.03 * (1 - std::exp(-double(layer) / 100))) * (1 + 0.01 * of_layer.normal());
    state.source_row += 0.4 * of_layer.normal();
    state.source_column += 0.4 * of_layer.normal();
    return state;
}

LaserParameters random_laser(RandomStream& random) {
    const double speed_mm_s = random.uniform(300, 1500);
    return {speed_mm_s, random.uniform(100, 350)};
}

std::size_t frames_of_line(double length_mm, double speed_mm_s) {
    return std::max<std::size_t>(
        1, static_cast<std::size_t>(length_mm / speed_mm_s * frames_per_second));
}

double heat_in_frame(std::size_t i, std::size_t count) {
    const double heated = 1 - std::exp(-(double(i) + 1) / heating_frames);
    const std::size_t off = count > 8 ? count - frames_after_laser_off : count;
    const double cooled = i < off ? 1 : std::exp(-(double(i - off) + 0.5) / cooling_frames);
    const double heat = heated * cooled;
    return heat > 0.98 ? 1 : heat;
}

double temperature_rise(const LaserParameters& laser, double absorptivity, double along,
                        double across) {
    const double distance =
        std::sqrt(along * along + across * across + spot_radius_m * spot_radius_m);
    const double speed_m_s = laser.speed_mm_s / 1000;
    return absorptivity * laser.power_w / (2 * pi * conductivity * distance) *
           std::exp(-speed_m_s * (distance + along) / (2 * diffusivity));
}

double emission(double kelvin) {
    const double capped = std::min(kelvin, boiling_cap_k);
    return std::exp(-wien_k * (1 / capped - 1 / boiling_cap_k));
}

MeltPoolCamera::MeltPoolCamera(int height, int width) : camera_(height, width) {
    for (std::vector<float>* image : {&rise_, &glow_, &plume_, &light_})
        image->resize(camera_.pixels());
}

void MeltPoolCamera::draw_line(const LaserParameters& laser, const MachineState& machine,
                               bool reversed, RandomStream random, std::size_t count,
                               std::uint8_t* frames) {
    const double angle = machine.scan_angle_rad + (reversed ? pi : 0);
    source_row_ = (camera_.height() - 1) / 2.0 + machine.source_row + 0.3 * random.normal();
    source_column_ = (camera_.width() - 1) / 2.0 + machine.source_column + 0.3 * random.normal();
    MachineState state = machine;
    state.absorptivity *= 1 + 0.015 * random.normal();
    compute_rise(laser, state, angle);
    compute_plume(state, angle, laser.power_w);
    heat_of_glow_ = -1;
    spatter_.clear();
    double flicker = random.normal();
    for (std::size_t i = 0; i < count; ++i) {
        compute_glow(state, heat_in_frame(i, count));
        flicker = flicker_memory * flicker +
                  std::sqrt(1 - flicker_memory * flicker_memory) * random.normal();
        const auto glow_gain = float(1 + flicker_deviation * flicker);
        const auto plume_gain = float(std::max(0.0, 1 + 0.5 * random.normal()));
        const auto background = float(machine.background_dn);
        for (std::size_t p = 0; p < light_.size(); ++p)
            light_[p] = glow_gain * glow_[p] + plume_gain * plume_[p] + background;
        spatter_.move(random, camera_, source_row_, source_column_, angle, laser.power_w);
        spatter_.add_to(light_, camera_);
        camera_.expose(light_, random, frames + i * light_.size());
    }
}

void MeltPoolCamera::compute_rise(const LaserParameters& laser, const MachineState& machine,
                                  double angle) {
    const double cosine = std::cos(angle), sine = std::sin(angle);
    for (int row = 0; row < camera_.height(); ++row)
        for (int column = 0; column < camera_.width(); ++column) {
            const double x = (column - source_column_) * pixel_pitch_m;
            const double y = (row - source_row_) * pixel_pitch_m;
            rise_[std::size_t(row) * std::size_t(camera_.width()) + std::size_t(column)] =
                float(temperature_rise(laser, machine.absorptivity, x * cosine + y * sine,
                                       y * cosine - x * sine));
        }
}

void MeltPoolCamera::compute_glow(const MachineState& machine, double heat) {
    if (heat == heat_of_glow_) return;
    heat_of_glow_ = heat;
    for (std::size_t i = 0; i < glow_.size(); ++i) {
        const double kelvin = machine.ambient_k + heat * double(rise_[i]);
        glow_[i] =
            kelvin < dark_below_k ? 0.0F : float(full_glow_dn * machine.gain * emission(kelvin));
    }
    camera_.blur(glow_, machine.blur_px);
}

void MeltPoolCamera::compute_plume(const MachineState& machine, double angle, double power_w) {
    const double width_px = 9, behind_px = 4;
    const double row = source_row_ - behind_px * std::sin(angle);
    const double column = source_column_ - behind_px * std::cos(angle);
    const double brightness = machine.gain * 14 * power_w / 350;
    for (int y = 0; y < camera_.height(); ++y)
        for (int x = 0; x < camera_.width(); ++x) {
            const double square = (y - row) * (y - row) + (x - column) * (x - column);
            plume_[std::size_t(y) * std::size_t(camera_.width()) + std::size_t(x)] =
                float(brightness * std::exp(-square / (2 * width_px * width_px)));
        }
}

}  // namespace edgeloop
