#include "edgeloop/adaptation/optimiser.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop::adaptation {

ByteStates::ByteStates(std::size_t count, bool has_sign)
    : has_sign_(has_sign), codes_(count, 0), scales_((count + block_size - 1) / block_size, 0) {}

void ByteStates::read(std::size_t block, float* values, std::size_t count) const {
    const std::uint8_t* const codes = codes_.data() + block * block_size;
    const float scale = scales_[block];
    for (std::size_t i = 0; i < count; ++i) {
        if (has_sign_) {
            const float root = static_cast<float>(static_cast<std::int8_t>(codes[i])) / 127;
            values[i] = scale * root * std::fabs(root);
        } else {
            const float root = static_cast<float>(codes[i]) / 255;
            values[i] = scale * root * root;
        }
    }
}

void ByteStates::write(std::size_t block, const float* values, std::size_t count,
                       RandomStream& random) {
    std::uint8_t* const codes = codes_.data() + block * block_size;
    float scale = 0;
    for (std::size_t i = 0; i < count; ++i) scale = std::max(scale, std::fabs(values[i]));
    scales_[block] = scale;
    if (!(scale > 0)) return std::fill_n(codes, count, std::uint8_t{0}), void();
    const float most = has_sign_ ? 127 : 255;
    for (std::size_t i = 0; i < count; ++i) {
        const float size = std::fabs(values[i]) / scale;
        const float low = std::min(std::floor(most * std::sqrt(size)), most - 1);
        // Chance of the upper code: so that the mean is the number.
        const float below = low * low / (most * most),
                    above = (low + 1) * (low + 1) / (most * most);
        const float share = static_cast<float>(random.next_u32() >> 8U) * 0x1p-24F;
        int code = static_cast<int>(low) + (share * (above - below) < size - below ? 1 : 0);
        if (!has_sign_ && code == 0 && size > 0) code = 1;
        codes[i] = static_cast<std::uint8_t>(has_sign_ && values[i] < 0 ? -code : code);
    }
}

Optimiser::Optimiser(std::size_t parameters, const OptimiserOptions& options)
    : options_(options),
      first_(parameters, true),
      second_(options.method == Method::adam ? parameters : 0, false),
      random_(options.seed, "states of 8 bits") {}

std::size_t Optimiser::bytes() const { return first_.bytes() + second_.bytes(); }

void Optimiser::step(std::vector<float>& parameters, const std::vector<float>& gradients,
                     double scale, double learning_rate) {
    EDGELOOP_EXPECT(gradients.size() == parameters.size(), "gradients of other parameters");
    ++steps_;
    const bool is_adam = options_.method == Method::adam;
    const auto n = static_cast<double>(steps_);
    const double first_weight = is_adam ? 1 - options_.momentum : 1;
    const double first_bias = is_adam ? 1 - std::pow(options_.momentum, n) : 1;
    const double second_bias = 1 - std::pow(options_.second, n);
    float moment[ByteStates::block_size], root[ByteStates::block_size] = {};
    for (std::size_t begin = 0; begin < parameters.size(); begin += ByteStates::block_size) {
        const std::size_t count = std::min(ByteStates::block_size, parameters.size() - begin);
        const std::size_t block = begin / ByteStates::block_size;
        first_.read(block, moment, count);
        if (is_adam) second_.read(block, root, count);
        for (std::size_t i = 0; i < count; ++i) {
            const double gradient = scale * double(gradients[begin + i]);
            const double mean = options_.momentum * double(moment[i]) + first_weight * gradient;
            moment[i] = static_cast<float>(mean);
            double size = 1;
            if (is_adam) {
                const double square = options_.second * double(root[i]) * double(root[i]) +
                                      (1 - options_.second) * gradient * gradient;
                root[i] = static_cast<float>(std::sqrt(square));
                size = std::sqrt(square / second_bias) + options_.epsilon;
            }
            parameters[begin + i] -= static_cast<float>(learning_rate * mean / first_bias / size);
        }
        first_.write(block, moment, count, random_);
        if (is_adam) second_.write(block, root, count, random_);
    }
}

}  // namespace edgeloop::adaptation
