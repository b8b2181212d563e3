#include "apps/data/melt_pool.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double frames_per_second = 20000;
constexpr double pixel_pitch_m = 10e-6;

// 316L stainless steel.
constexpr double conductivity = 28;                      // W/(m K)
constexpr double diffusivity = 28.0 / (7700.0 * 600.0);  // m^2/s
constexpr double boiling_cap_k = 3100;

constexpr double dark_below_k = 1000;  // emission there is below 2e-5 of that at the cap

constexpr double spot_radius_m = 18e-6;
constexpr double wien_k = 0.0143878 / 850e-9;  // second radiation constant over the band's centre
constexpr double full_glow_dn = 290;           // above 255: the hottest part saturates
constexpr double rotation_per_layer_rad = 67.0 * pi / 180.0;

constexpr double heating_frames = 1.6;  // time constant of the start of a line
constexpr double cooling_frames = 2.5;  // of its end, laser off
constexpr std::size_t frames_after_laser_off = 2;

constexpr double flicker_deviation = 0.05, flicker_memory = 0.7;
constexpr double shot_variance_per_dn = 0.25, read_variance = 2.2;

/// Inverse of the normal distribution function by bisection; slow and plainly right.
double normal_quantile(double probability) {
    double low = -6, high = 6;
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < probability ? low : high) = middle;
    }
    return (low + high) / 2;
}

std::uint8_t to_grey(float value) {
    return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
}

/// Odd number of weights that add up to 1.
std::vector<float> gaussian_kernel(double sigma_px) {
    const int reach = std::max(1, int(std::ceil(3 * sigma_px)));
    std::vector<float> kernel;
    for (int i = -reach; i <= reach; ++i)
        kernel.push_back(float(std::exp(-i * i / (2 * sigma_px * sigma_px))));
    float sum = 0;
    for (const float tap : kernel) sum += tap;
    for (float& tap : kernel) tap /= sum;
    return kernel;
}

/// out = sum over the taps of kernel[tap] * source_of(tap).
template <class SourceOf>
void weighted_sum(const std::vector<float>& kernel, const SourceOf& source_of, float* out,
                  std::ptrdiff_t count) {
    std::fill_n(out, count, 0.0F);
    for (std::size_t tap = 0; tap < kernel.size(); ++tap) {
        const float* from = source_of(tap);
        for (std::ptrdiff_t i = 0; i < count; ++i) out[i] += kernel[tap] * from[i];
    }
}

/// Share of the steady temperature rise in frame `i` of `count`: heats up at the start, cools down
/// after the laser went off at the turn-point.
double heat_in_frame(std::size_t i, std::size_t count) {
    const double heated = 1 - std::exp(-(double(i) + 1) / heating_frames);
    const std::size_t off = count > 8 ? count - frames_after_laser_off : count;
    const double cooled = i < off ? 1 : std::exp(-(double(i - off) + 0.5) / cooling_frames);
    const double heat = heated * cooled;
    return heat > 0.98 ? 1 : heat;
}

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

std::size_t frames_of_line(double length_mm, double speed_mm_s) {
    return std::max<std::size_t>(
        1, static_cast<std::size_t>(length_mm / speed_mm_s * frames_per_second));
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

MeltPoolCamera::MeltPoolCamera(int height, int width) : height_(height), width_(width) {
    const auto pixels = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    for (std::vector<float>* image : {&rise_, &glow_, &plume_, &light_, &scratch_})
        image->resize(pixels);
    for (std::size_t i = 0; i < normal_quantiles_.size(); ++i)
        normal_quantiles_[i] =
            float(normal_quantile((double(i) + 0.5) / double(normal_quantiles_.size())));
}

void MeltPoolCamera::draw_line(const LaserParameters& laser, const MachineState& machine,
                               bool reversed, RandomStream random, std::size_t count,
                               std::uint8_t* frames) {
    const double angle = machine.scan_angle_rad + (reversed ? pi : 0);
    source_row_ = (height_ - 1) / 2.0 + machine.source_row + 0.3 * random.normal();
    source_column_ = (width_ - 1) / 2.0 + machine.source_column + 0.3 * random.normal();
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
        move_spatter(random, angle, laser.power_w);
        add_spatter();
        expose(random, frames + i * light_.size());
    }
}

void MeltPoolCamera::compute_rise(const LaserParameters& laser, const MachineState& machine,
                                  double angle) {
    const double cosine = std::cos(angle), sine = std::sin(angle);
    for (int row = 0; row < height_; ++row)
        for (int column = 0; column < width_; ++column) {
            const double x = (column - source_column_) * pixel_pitch_m;
            const double y = (row - source_row_) * pixel_pitch_m;
            rise_[std::size_t(row) * std::size_t(width_) + std::size_t(column)] =
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
    blur(glow_, machine.blur_px);
}

void MeltPoolCamera::compute_plume(const MachineState& machine, double angle, double power_w) {
    const double width_px = 9, behind_px = 4;
    const double row = source_row_ - behind_px * std::sin(angle);
    const double column = source_column_ - behind_px * std::cos(angle);
    const double brightness = machine.gain * 14 * power_w / 350;
    for (int y = 0; y < height_; ++y)
        for (int x = 0; x < width_; ++x) {
            const double square = (y - row) * (y - row) + (x - column) * (x - column);
            plume_[std::size_t(y) * std::size_t(width_) + std::size_t(x)] =
                float(brightness * std::exp(-square / (2 * width_px * width_px)));
        }
}

/// Separable Gaussian, edges repeated.
void MeltPoolCamera::blur(std::vector<float>& image, double sigma_px) {
    const std::vector<float> kernel = gaussian_kernel(sigma_px);
    const auto reach = static_cast<std::ptrdiff_t>(kernel.size() / 2);
    const std::ptrdiff_t height = height_, width = width_;
    std::vector<float> padded(static_cast<std::size_t>(width + 2 * reach));
    for (std::ptrdiff_t row = 0; row < height; ++row) {
        const float* from = image.data() + row * width;
        std::fill_n(padded.begin(), reach, from[0]);
        std::copy_n(from, width, padded.begin() + reach);
        std::fill_n(padded.begin() + reach + width, reach, from[width - 1]);
        weighted_sum(
            kernel, [&](std::size_t tap) { return padded.data() + tap; },
            scratch_.data() + row * width, width);
    }
    for (std::ptrdiff_t row = 0; row < height; ++row)
        weighted_sum(
            kernel,
            [&](std::size_t tap) {
                const std::ptrdiff_t y = row + static_cast<std::ptrdiff_t>(tap) - reach;
                return scratch_.data() + std::clamp<std::ptrdiff_t>(y, 0, height - 1) * width;
            },
            image.data() + row * width, width);
}

void MeltPoolCamera::move_spatter(RandomStream& random, double angle, double power_w) {
    for (Spatter& particle : spatter_) {
        particle.row += particle.row_step;
        particle.column += particle.column_step;
        particle.brightness *= 0.8;
    }
    spatter_.erase(std::remove_if(spatter_.begin(), spatter_.end(),
                                  [this](const Spatter& particle) {
                                      return particle.brightness < 5 || particle.row < -4 ||
                                             particle.column < -4 || particle.row > height_ + 4 ||
                                             particle.column > width_ + 4;
                                  }),
                   spatter_.end());
    if (!random.chance(0.05 + 0.15 * power_w / 350)) return;
    // Thrown backwards, 0.6 to 3 m/s: 3 to 15 pixels a frame.
    const double direction = angle + pi + random.uniform(-1.2, 1.2);
    const double step = random.uniform(3, 15);
    spatter_.push_back({source_row_, source_column_, step * std::sin(direction),
                        step * std::cos(direction), random.uniform(40, 220)});
}

void MeltPoolCamera::add_spatter() {
    const double size_px = 1.1;
    for (const Spatter& particle : spatter_) {
        const int top = std::max(0, int(std::floor(particle.row)) - 3);
        const int left = std::max(0, int(std::floor(particle.column)) - 3);
        const int bottom = std::min(height_ - 1, int(std::ceil(particle.row)) + 3);
        const int right = std::min(width_ - 1, int(std::ceil(particle.column)) + 3);
        for (int row = top; row <= bottom; ++row)
            for (int column = left; column <= right; ++column) {
                const double y = row - particle.row, x = column - particle.column;
                light_[std::size_t(row) * std::size_t(width_) + std::size_t(column)] += float(
                    particle.brightness * std::exp(-(x * x + y * y) / (2 * size_px * size_px)));
            }
    }
}

void MeltPoolCamera::expose(RandomStream& random, std::uint8_t* frame) {
    const auto noise = [this](float light, std::uint32_t bits) {
        const float deviation =
            std::sqrt(float(shot_variance_per_dn) * light + float(read_variance));
        return to_grey(light + deviation * normal_quantiles_[bits]);
    };
    std::size_t i = 0;
    for (; i + 1 < light_.size(); i += 2) {
        const std::uint32_t bits = random.next_u32();
        frame[i] = noise(light_[i], bits & 4095U);
        frame[i + 1] = noise(light_[i + 1], (bits >> 16) & 4095U);
    }
    if (i < light_.size()) frame[i] = noise(light_[i], random.next_u32() & 4095U);
}

}  // namespace edgeloop
