#include "apps/data/process.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double turn_s = 0.5e-3;  // laser off between two lines

constexpr double exposure_dn = 235;  // of the hottest surface, before drifts
constexpr double dim_share = 0.6;    // of it, without saturation

constexpr int spots_along = 512, spots_across = 64;
constexpr double spot_contrast = 0.4, spot_size_px = 1.6;
constexpr double oscillation_contrast = 0.05;
constexpr int neighbour_rows = 2;
constexpr int neighbour_steps_per_px = 2;

struct EffectName {
    Effect effect;
    std::string_view name;
};
constexpr std::array<EffectName, 12> effect_table{{{Effect::emissivity, "emissivity"},
                                                   {Effect::focus, "focus"},
                                                   {Effect::pointing, "pointing"},
                                                   {Effect::vignetting, "vignetting"},
                                                   {Effect::heat, "heat"},
                                                   {Effect::plume, "plume"},
                                                   {Effect::spatter, "spatter"},
                                                   {Effect::flicker, "flicker"},
                                                   {Effect::oscillation, "oscillation"},
                                                   {Effect::surface, "surface"},
                                                   {Effect::saturation, "saturation"},
                                                   {Effect::dead_pixels, "dead-pixels"}}};

/// A first-order autoregressive process with unit variance.
class Drift {
  public:
    Drift(double memory, RandomStream& random) : memory_(memory), value_(random.normal()) {}
    double next(RandomStream& random) {
        value_ = memory_ * value_ + std::sqrt(1 - memory_ * memory_) * random.normal();
        return value_;
    }

  private:
    double memory_, value_;
};

/// A periodic field, smoothed to unit variance.
std::vector<float> smooth_field(RandomStream random) {
    constexpr int reach = 5;
    std::array<float, 2 * reach + 1> kernel{};
    double squares = 0;
    for (int i = -reach; i <= reach; ++i) {
        const double tap = std::exp(-i * i / (2 * spot_size_px * spot_size_px));
        kernel[static_cast<std::size_t>(i + reach)] = float(tap);
        squares += tap * tap;
    }
    std::vector<float> field(std::size_t(spots_along) * spots_across), pass(field.size());
    for (float& value : field) value = float(random.normal() / squares);
    const auto smooth = [&](const std::vector<float>& from, std::vector<float>& to,
                            int step_along) {
        for (int y = 0; y < spots_across; ++y)
            for (int x = 0; x < spots_along; ++x) {
                float sum = 0;
                for (int i = -reach; i <= reach; ++i) {
                    const int u = (x + i * step_along + spots_along) % spots_along;
                    const int v = (y + i * (1 - step_along) + spots_across) % spots_across;
                    sum += kernel[static_cast<std::size_t>(i + reach)] *
                           from[std::size_t(v * spots_along + u)];
                }
                to[std::size_t(y * spots_along + x)] = sum;
            }
    };
    smooth(field, pass, 1);
    smooth(pass, field, 0);
    return field;
}

}  // namespace

Effects all_effects() {
    Effects effects;
    for (const EffectName& known : effect_table) effects.insert(known.effect);
    return effects;
}

std::string effect_names() {
    std::string names;
    for (const EffectName& known : effect_table)
        names += (names.empty() ? "" : " ") + std::string(known.name);
    return names;
}

Effects effects_from(const std::vector<std::string>& names) {
    Effects effects;
    for (const std::string& name : names) {
        if (name == "none") continue;
        if (name == "all") {
            effects = all_effects();
            continue;
        }
        const auto found =
            std::find_if(effect_table.begin(), effect_table.end(),
                         [&](const EffectName& known) { return known.name == name; });
        if (found == effect_table.end())
            throw ConfigError(fmt::format("unknown effect '{}'", name), {},
                              "use all, none, or some of " + effect_names());
        effects.insert(found->effect);
    }
    return effects;
}

LayerConditions layer_conditions(std::uint64_t seed, std::uint32_t object, std::uint32_t layer,
                                 const Effects& effects, DriftRange drift) {
    const auto has = [&](Effect effect) { return effects.count(effect) > 0; };
    RandomStream of_object(seed, "synth process object", object);
    const auto drifted = [&] {
        return std::clamp(normal_quantile(of_object.uniform(drift.low, drift.high)), -3.0, 3.0);
    };
    RandomStream of_layer(seed, "synth process layer", object, layer);
    LayerConditions conditions;
    MachineState& machine = conditions.machine;
    machine.absorptivity = 0.35 * (1 + 0.01 * of_object.normal());
    machine.ambient_k = 353 + 60 * (1 - std::exp(-double(layer) / 40)) + 5 * of_layer.normal();
    machine.background_dn = 6 + of_object.uniform(-1.5, 1.5);
    const double bright = 0.18 * drifted() + 0.06 * of_layer.normal();
    if (has(Effect::emissivity)) machine.gain = std::exp(bright);
    const double blur = 1.5 + 0.35 * std::clamp(drifted(), -2.0, 2.0) + 0.1 * of_layer.normal();
    machine.blur_px = has(Effect::focus) ? std::max(0.7, blur) : 1.5;
    const double row = of_object.uniform(-3, 3) + 0.4 * of_layer.normal();
    const double column = of_object.uniform(-3, 3) + 0.4 * of_layer.normal();
    if (has(Effect::pointing)) {
        machine.source_row = row;
        machine.source_column = column;
    }
    if (has(Effect::vignetting)) {
        conditions.vignetting = of_object.uniform(0.05, 0.3);
        conditions.centre_row = of_object.uniform(-6, 6);
        conditions.centre_column = of_object.uniform(-6, 6);
    }
    return conditions;
}

std::vector<ProcessLine> plan_layer(std::uint64_t seed, std::uint32_t object, std::uint32_t layer,
                                    double size_mm, std::size_t count) {
    const std::vector<HatchLine> hatch = hatch_layer(seed, object, layer, size_mm);
    const int rows = hatch.back().row + 1 + neighbour_rows;  // copies do not warm each other
    std::vector<ProcessLine> lines;
    double now = 0;
    for (int copy = 0; lines.size() < count; ++copy)
        for (HatchLine line : hatch) {
            RandomStream random(seed, "synth process laser", object,
                                (std::uint64_t(layer) << 32) | lines.size());
            const LaserParameters laser = random_laser(random);
            line.row += copy * rows;
            lines.push_back({line, laser, now, frames_of_line(line.length_mm(), laser.speed_mm_s)});
            now += lines.back().duration_s() + turn_s;
        }
    return lines;
}

double heat_left(const std::vector<ProcessLine>& lines, std::size_t line, double absorptivity,
                 double along_mm, double across_mm, double now_s) {
    const HatchLine& here = lines[line].hatch;
    double kelvin = 0;
    for (std::size_t i = line; i-- > 0 && lines[i].hatch.row >= here.row - neighbour_rows;) {
        const ProcessLine& before = lines[i];
        const double done = (along_mm - before.hatch.from_mm) * before.hatch.direction();
        if (before.hatch.row == here.row || done < 0 || done > before.hatch.length_mm()) continue;
        const double age = now_s - before.begin_s - done / before.laser.speed_mm_s;
        const double across =
            (across_mm * here.direction() + (here.row - before.hatch.row) * hatch_mm) / 1000;
        const double joule_per_m =
            absorptivity * before.laser.power_w / (before.laser.speed_mm_s / 1000);
        kelvin += joule_per_m / (2 * pi * conductivity * age) *
                  std::exp(-across * across / (4 * diffusivity * age));
    }
    return kelvin;
}

double pool_frequency(const LaserParameters& laser, double absorptivity) {
    constexpr double surface_tension = 1.6, density = 7000, melting_rise_k = 1350;
    // Half the width at high speed: where Rosenthal's isotherm of melting is widest.
    const double half_width =
        std::sqrt(2 * absorptivity * laser.power_w * diffusivity /
                  (pi * std::exp(1.0) * conductivity * melting_rise_k * laser.speed_mm_s / 1000));
    return std::sqrt(surface_tension / (density * std::pow(half_width, 3))) / (2 * pi);
}

ProcessCamera::ProcessCamera(int height, int width, std::uint64_t seed, Effects effects)
    : camera_(height, width),
      effects_(std::move(effects)),
      spots_(smooth_field(RandomStream(seed, "synth process spots"))) {
    for (std::vector<float>* image : {&ahead_, &left_, &rise_, &light_, &lens_, &plume_})
        image->resize(camera_.pixels());
    emission_.resize(static_cast<std::size_t>(boiling_cap_k) + 2);
    for (std::size_t kelvin = 1; kelvin < emission_.size(); ++kelvin)
        emission_[kelvin] = kelvin < dark_below_k ? 0.0F : float(emission(double(kelvin)));
    RandomStream random(seed, "synth process pixels");
    const std::size_t faults = has(Effect::dead_pixels) ? 1 + camera_.pixels() / 500 : 0;
    for (std::size_t i = 0; i < faults; ++i)
        dead_.push_back({random.below(camera_.pixels()),
                         random.chance(0.5) ? -1 : static_cast<int>(10 + random.below(40))});
}

void ProcessCamera::place(double angle, double row, double column,
                          const LayerConditions& conditions) {
    const double cosine = std::cos(angle), sine = std::sin(angle);
    const double middle_row = (camera_.height() - 1) / 2.0,
                 middle_column = (camera_.width() - 1) / 2.0;
    std::size_t pixel = 0;
    for (int y = 0; y < camera_.height(); ++y)
        for (int x = 0; x < camera_.width(); ++x, ++pixel) {
            const double right = x - middle_column - column, down = y - middle_row - row;
            ahead_[pixel] = float(right * cosine + down * sine);
            left_[pixel] = float(down * cosine - right * sine);
            const double off_x = x - middle_column - conditions.centre_column,
                         off_y = y - middle_row - conditions.centre_row;
            lens_[pixel] = float(std::max(
                0.0, 1 - conditions.vignetting * (off_x * off_x + off_y * off_y) / (32.0 * 32.0)));
            constexpr double plume_px = 9, behind_px = 4;
            const double behind = ahead_[pixel] + behind_px;
            plume_[pixel] = float(std::exp(-(behind * behind + left_[pixel] * left_[pixel]) /
                                           (2 * plume_px * plume_px)));
        }
}

void ProcessCamera::heat_up(const ProcessLine& line, double absorptivity) {
    for (std::size_t i = 0; i < rise_.size(); ++i)
        rise_[i] = float(temperature_rise(line.laser, absorptivity, ahead_[i] * pixel_pitch_m,
                                          left_[i] * pixel_pitch_m));
}

void ProcessCamera::warm_by_neighbours(const std::vector<ProcessLine>& lines, std::size_t line,
                                       double absorptivity, double now_s) {
    const int reach = camera_.height() + camera_.width();
    neighbours_.assign(static_cast<std::size_t>(2 * reach * neighbour_steps_per_px + 1), 0.0F);
    if (!has(Effect::heat)) return;
    const HatchLine& here = lines[line].hatch;
    const double done =
        std::min((now_s - lines[line].begin_s) * lines[line].laser.speed_mm_s, here.length_mm());
    const double along = here.from_mm + done * here.direction();
    for (std::size_t i = 0; i < neighbours_.size(); ++i) {
        const double px = double(i) / neighbour_steps_per_px - reach;
        if (std::abs(px) > 64) continue;
        neighbours_[i] =
            float(heat_left(lines, line, absorptivity, along, px * pixel_pitch_m * 1000, now_s));
    }
}

float ProcessCamera::spot(double along_px, double across_px) const {
    const double x = along_px + spot_along_, y = across_px + spot_across_;
    const double floor_x = std::floor(x), floor_y = std::floor(y);
    const auto wrap = [](double value, int period) {
        return ((static_cast<int>(value) % period) + period) % period;
    };
    const int x0 = wrap(floor_x, spots_along), x1 = (x0 + 1) % spots_along;
    const int y0 = wrap(floor_y, spots_across), y1 = (y0 + 1) % spots_across;
    const auto u = float(x - floor_x), v = float(y - floor_y);
    const auto at = [&](int row, int column) {
        return spots_[std::size_t(row * spots_along + column)];
    };
    return (1 - v) * ((1 - u) * at(y0, x0) + u * at(y0, x1)) +
           v * ((1 - u) * at(y1, x0) + u * at(y1, x1));
}

void ProcessCamera::glow(double ambient_k, double heat, double travelled_px, double full_dn) {
    const auto reach = float(camera_.height() + camera_.width());
    const bool spotted = has(Effect::surface);
    for (std::size_t i = 0; i < light_.size(); ++i) {
        const auto side =
            static_cast<std::size_t>((left_[i] + reach) * neighbour_steps_per_px + 0.5F);
        const float kelvin = std::min(
            float(boiling_cap_k), float(ambient_k) + float(heat) * rise_[i] + neighbours_[side]);
        light_[i] = 0;
        if (kelvin < float(dark_below_k)) continue;
        const auto below = static_cast<std::size_t>(kelvin);
        const float part = kelvin - float(below);
        light_[i] = float(full_dn) * ((1 - part) * emission_[below] + part * emission_[below + 1]);
        // The spots form behind the laser, where the surface sets.
        const float age = std::clamp((-ahead_[i] - 2) / 6, 0.0F, 1.0F);
        if (spotted && age > 0)
            light_[i] *= 1 + float(spot_contrast) * age *
                                 std::clamp(spot(ahead_[i] + travelled_px, left_[i]), -2.5F, 2.5F);
    }
}

void ProcessCamera::mark_dead_pixels(std::uint8_t* frame) const {
    for (const DeadPixel& pixel : dead_)
        frame[pixel.at] =
            pixel.added < 0
                ? std::uint8_t{0}
                : static_cast<std::uint8_t>(std::min(255, frame[pixel.at] + pixel.added));
}

void ProcessCamera::draw_line(const std::vector<ProcessLine>& lines, std::size_t line,
                              const LayerConditions& conditions, RandomStream random,
                              std::uint8_t* frames) {
    const ProcessLine& here = lines[line];
    const MachineState& machine = conditions.machine;
    const double off = has(Effect::pointing) ? 0.5 : 0;
    const double row = machine.source_row + off * random.normal(),
                 column = machine.source_column + off * random.normal();
    const double absorptivity = machine.absorptivity * (1 + 0.01 * random.normal());
    const double gain =
        machine.gain * (has(Effect::emissivity) ? std::exp(0.04 * random.normal()) : 1);
    const double full_dn = exposure_dn * gain * (has(Effect::saturation) ? 1 : dim_share);
    const double power = here.laser.power_w / 350;
    place(here.hatch.angle_rad, row, column, conditions);
    heat_up(here, absorptivity);
    spot_along_ = random.uniform(0, spots_along);
    spot_across_ = random.uniform(0, spots_across);
    const double frequency = pool_frequency(here.laser, absorptivity);
    const double phase = random.uniform(0, 2 * pi);
    Drift flicker(0.7, random), plume(0.6, random);
    spatter_.clear();
    for (std::size_t i = 0; i < here.frames; ++i) {
        const double since = (double(i) + 0.5) / frames_per_second;
        double heat = heat_in_frame(i, here.frames);
        if (has(Effect::oscillation))
            heat *= 1 + oscillation_contrast * std::sin(2 * pi * frequency * since + phase);
        const double flickered = flicker.next(random), puffed = plume.next(random);
        if (has(Effect::flicker)) heat *= 1 + 0.02 * flickered;
        warm_by_neighbours(lines, line, absorptivity, here.begin_s + since);
        glow(machine.ambient_k, heat, here.laser.speed_mm_s * since * 1e-3 / pixel_pitch_m,
             full_dn * (has(Effect::flicker) ? 1 + 0.03 * flickered : 1));
        camera_.blur(light_, machine.blur_px);
        const bool smokes = has(Effect::plume);
        const auto taken =
            float(smokes ? std::clamp(0.25 * power * (0.6 + 0.6 * puffed), 0.0, 0.6) : 0);
        const auto added = float(smokes ? gain * 14 * power * std::max(0.0, 1 + 0.5 * puffed) : 0);
        for (std::size_t p = 0; p < light_.size(); ++p)
            light_[p] = light_[p] * (1 - taken * plume_[p]) + added * plume_[p];
        if (has(Effect::spatter)) {
            spatter_.move(random, camera_, (camera_.height() - 1) / 2.0 + row,
                          (camera_.width() - 1) / 2.0 + column, here.hatch.angle_rad,
                          here.laser.power_w);
            spatter_.add_to(light_, camera_);
        }
        for (std::size_t p = 0; p < light_.size(); ++p)
            light_[p] = light_[p] * lens_[p] + float(machine.background_dn);
        std::uint8_t* const frame = frames + i * camera_.pixels();
        camera_.expose(light_, random, frame);
        mark_dead_pixels(frame);
    }
}

}  // namespace edgeloop
