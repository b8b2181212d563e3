#include "adaptation/unit_passes.hpp"

#include "adaptation/convolution_passes.hpp"
#include "adaptation/pooled_pass.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace edgeloop::adaptation {
namespace {

// Group norm: scratch has mean and inverse deviation of each group, then (channels) numbers.

void take_moments(const Unit& unit, const float* input, float* means, float* inverses) {
    const int channels = unit.input.channels, width = channels / unit.groups;
    const std::int64_t positions = unit.input.positions();
    const auto count = static_cast<double>(positions * width);
    for (int group = 0; group < unit.groups; ++group) {
        double sum = 0, squares = 0;
        const auto visit = [&](const auto& body) {
            for (std::int64_t p = 0; p < positions; ++p)
                for (int c = group * width; c < (group + 1) * width; ++c)
                    body(double(input[p * channels + c]));
        };
        visit([&](double x) { sum += x; });
        const double mean = sum / count;
        visit([&](double x) { squares += (x - mean) * (x - mean); });
        means[group] = static_cast<float>(mean);
        inverses[group] = static_cast<float>(1 / std::sqrt(squares / count + double(unit.epsilon)));
    }
}

void normalise(const Unit& unit, const UnitPass& pass) {
    float* const means = pass.scratch;
    float* const inverses = means + unit.groups;
    take_moments(unit, pass.input, means, inverses);
    const int channels = unit.input.channels, width = channels / unit.groups;
    const float* const scale = pass.parameters + unit.weights;
    const float* const shift = pass.parameters + unit.biases;
    pooled(unit, pass, inverses + unit.groups, [&](const Triple& at, float* out) {
        const float* const from = pass.input + position_of(unit.input, at);
        for (int c = 0; c < channels; ++c)
            out[c] = (from[c] - means[c / width]) * inverses[c / width] * scale[c] + shift[c];
    });
}

/// dx = inverse (scale dy - mean(scale dy) - x mean(scale dy x)), with x normalised and means over
/// the group.
void normalise_back(const Unit& unit, const UnitPass& pass, float* gradients,
                    const float* output_gradient, float* input_gradient) {
    float* const means = pass.scratch;
    float* const inverses = means + unit.groups;
    float* const sums = inverses + unit.groups;
    float* const products = sums + unit.groups;
    take_moments(unit, pass.input, means, inverses);
    std::fill_n(sums, 2 * unit.groups, 0.0F);
    const int channels = unit.input.channels, width = channels / unit.groups;
    const float* const scale = pass.parameters + unit.weights;
    const auto normal = [&](std::size_t place, int c) {
        return (pass.input[place] - means[c / width]) * inverses[c / width];
    };
    for_gradients(unit, pass, output_gradient, [&](const Triple& at, int c, float gradient) {
        const auto channel = static_cast<std::size_t>(c);
        const std::size_t place = position_of(unit.input, at) + channel;
        const float x = normal(place, c);
        gradients[unit.weights + channel] += gradient * x;
        gradients[unit.biases + channel] += gradient;
        sums[c / width] += gradient * scale[c];
        products[c / width] += gradient * scale[c] * x;
        if (input_gradient != nullptr) input_gradient[place] += gradient * scale[c];
    });
    if (input_gradient == nullptr) return;
    const auto count = static_cast<float>(unit.input.positions() * width);
    for (std::int64_t p = 0; p < unit.input.positions(); ++p)
        for (int c = 0; c < channels; ++c) {
            const auto place = static_cast<std::size_t>(p * channels + c);
            const int group = c / width;
            input_gradient[place] = inverses[group] * (input_gradient[place] - sums[group] / count -
                                                       normal(place, c) * products[group] / count);
        }
}

void average(const Unit& unit, const UnitPass& pass) {
    const int channels = unit.input.channels;
    const std::int64_t positions = unit.input.positions();
    std::memset(pass.choices, 0, static_cast<std::size_t>(channels));
    for (int c = 0; c < channels; ++c) {
        double sum = 0;
        for (std::int64_t p = 0; p < positions; ++p) sum += double(pass.input[p * channels + c]);
        pass.output[c] = static_cast<float>(sum / static_cast<double>(positions));
    }
    finish(unit, pass.output, pass.choices, channels);
}

void average_back(const Unit& unit, const UnitPass& pass, const float* output_gradient,
                  float* input_gradient) {
    const int channels = unit.input.channels;
    const std::int64_t positions = unit.input.positions();
    for (int c = 0; c < channels; ++c) {
        if (pass.choices[c] == dead) continue;
        const float each = output_gradient[c] / static_cast<float>(positions);
        for (std::int64_t p = 0; p < positions; ++p) input_gradient[p * channels + c] = each;
    }
}

void map(const Unit& unit, const UnitPass& pass) {
    pooled(unit, pass, pass.scratch, [&](const Triple& at, float* out) {
        std::copy_n(pass.input + position_of(unit.input, at), unit.input.channels, out);
    });
}

void map_back(const Unit& unit, const UnitPass& pass, const float* output_gradient,
              float* input_gradient) {
    for_gradients(unit, pass, output_gradient, [&](const Triple& at, int c, float gradient) {
        input_gradient[position_of(unit.input, at) + static_cast<std::size_t>(c)] += gradient;
    });
}

}  // namespace

std::size_t scratch_floats(const Unit& unit) {
    const auto channels = static_cast<std::size_t>(unit.grown.channels);
    switch (unit.operation) {
        case Operation::convolution:
        case Operation::depthwise:
            return convolution_scratch_floats(unit);
        case Operation::norm:
            return 4 * static_cast<std::size_t>(unit.groups) + channels;
        default:
            return channels;
    }
}

void forward(const Unit& unit, const UnitPass& pass) {
    switch (unit.operation) {
        case Operation::convolution:
        case Operation::depthwise:
            return convolve(unit, pass);
        case Operation::norm:
            return normalise(unit, pass);
        case Operation::mean:
            return average(unit, pass);
        default:
            return map(unit, pass);
    }
}

void backward(const Unit& unit, const UnitPass& pass, float* gradients,
              const float* output_gradient, float* input_gradient) {
    if (input_gradient != nullptr) std::fill_n(input_gradient, unit.input.elements(), 0.0F);
    switch (unit.operation) {
        case Operation::convolution:
        case Operation::depthwise:
            return convolve_back(unit, pass, gradients, output_gradient, input_gradient);
        case Operation::norm:
            return normalise_back(unit, pass, gradients, output_gradient, input_gradient);
        case Operation::mean:
            if (input_gradient != nullptr)
                average_back(unit, pass, output_gradient, input_gradient);
            return;
        default:
            if (input_gradient != nullptr) map_back(unit, pass, output_gradient, input_gradient);
    }
}

}  // namespace edgeloop::adaptation
