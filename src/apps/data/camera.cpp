#include "apps/data/camera.hpp"

#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

constexpr double shot_variance_per_dn = 0.25, read_variance = 2.2;

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

}  // namespace

/// By bisection; slow and plainly right.
double normal_quantile(double probability) {
    double low = -6, high = 6;
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < probability ? low : high) = middle;
    }
    return (low + high) / 2;
}

Camera::Camera(int height, int width)
    : height_(height),
      width_(width),
      scratch_(static_cast<std::size_t>(height) * static_cast<std::size_t>(width)) {
    for (std::size_t i = 0; i < normal_quantiles_.size(); ++i)
        normal_quantiles_[i] =
            float(normal_quantile((double(i) + 0.5) / double(normal_quantiles_.size())));
}

/// Separable Gaussian, edges repeated.
void Camera::blur(std::vector<float>& image, double sigma_px) {
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

void Camera::expose(const std::vector<float>& light, RandomStream& random,
                    std::uint8_t* frame) const {
    const auto noise = [this](float value, std::uint32_t bits) {
        const float deviation =
            std::sqrt(float(shot_variance_per_dn) * value + float(read_variance));
        return to_grey(value + deviation * normal_quantiles_[bits]);
    };
    std::size_t i = 0;
    for (; i + 1 < light.size(); i += 2) {
        const std::uint32_t bits = random.next_u32();
        frame[i] = noise(light[i], bits & 4095U);
        frame[i + 1] = noise(light[i + 1], (bits >> 16) & 4095U);
    }
    if (i < light.size()) frame[i] = noise(light[i], random.next_u32() & 4095U);
}

void Spatter::move(RandomStream& random, const Camera& camera, double row, double column,
                   double scan_angle_rad, double power_w) {
    for (Particle& particle : particles_) {
        particle.row += particle.row_step;
        particle.column += particle.column_step;
        particle.brightness *= 0.8;
    }
    particles_.erase(std::remove_if(particles_.begin(), particles_.end(),
                                    [&](const Particle& particle) {
                                        return particle.brightness < 5 || particle.row < -4 ||
                                               particle.column < -4 ||
                                               particle.row > camera.height() + 4 ||
                                               particle.column > camera.width() + 4;
                                    }),
                     particles_.end());
    if (!random.chance(0.05 + 0.15 * power_w / 350)) return;
    // Thrown backwards, 0.6 to 3 m/s: 3 to 15 pixels a frame.
    const double direction = scan_angle_rad + pi + random.uniform(-1.2, 1.2);
    const double step = random.uniform(3, 15);
    particles_.push_back({row, column, step * std::sin(direction), step * std::cos(direction),
                          random.uniform(40, 220)});
}

void Spatter::add_to(std::vector<float>& light, const Camera& camera) const {
    const double size_px = 1.1;
    for (const Particle& particle : particles_) {
        const int top = std::max(0, int(std::floor(particle.row)) - 3);
        const int left = std::max(0, int(std::floor(particle.column)) - 3);
        const int bottom = std::min(camera.height() - 1, int(std::ceil(particle.row)) + 3);
        const int right = std::min(camera.width() - 1, int(std::ceil(particle.column)) + 3);
        for (int row = top; row <= bottom; ++row)
            for (int column = left; column <= right; ++column) {
                const double y = row - particle.row, x = column - particle.column;
                light[std::size_t(row) * std::size_t(camera.width()) + std::size_t(column)] +=
                    float(particle.brightness *
                          std::exp(-(x * x + y * y) / (2 * size_px * size_px)));
            }
    }
}

}  // namespace edgeloop
