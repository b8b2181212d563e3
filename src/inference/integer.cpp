#include "edgeloop/inference/integer.hpp"

#include "edgeloop/core/error.hpp"

#include <limits>

namespace edgeloop::inference {

Dyadic dyadic_of(double ratio, int bits) {
    int exponent = 0;
    const double fraction = std::frexp(ratio, &exponent);  // in [1/2, 1)
    if (!(ratio >= 0) || !std::isfinite(ratio) || exponent >= bits)
        throw ConfigError("a ratio of scales cannot be a multiplier and a shift",
                          "it is negative, no number, or too large");
    if (ratio == 0) return {};
    int shift = bits - exponent;
    double multiplier = std::nearbyint(std::ldexp(fraction, bits));
    if (shift > max_shift) {
        shift = max_shift;
        multiplier = std::nearbyint(std::ldexp(ratio, shift));
    } else if (multiplier == std::ldexp(1.0, bits)) {
        multiplier /= 2;
        --shift;
    }
    if (shift < 1)
        throw ConfigError("a ratio of scales cannot be a multiplier and a shift",
                          "it is too large");
    return {static_cast<std::int32_t>(multiplier), shift};
}

DyadicPair dyadics_of(double first, double second) {
    const Dyadic larger = dyadic_of(first > second ? first : second);
    const auto multiplier = [&larger](double ratio) {
        const double value = std::nearbyint(std::ldexp(ratio, larger.shift));
        return static_cast<std::int32_t>(
            std::fmin(value, double(std::numeric_limits<std::int32_t>::max())));
    };
    if (!(first >= 0) || !(second >= 0)) throw ConfigError("a ratio of scales is negative");
    return {{multiplier(first), larger.shift}, multiplier(second)};
}

std::int32_t integer_bias(double bias, double accumulator_scale) {
    const double q = std::nearbyint(bias / accumulator_scale);
    if (!(std::fabs(q) <= double(std::numeric_limits<std::int32_t>::max())))
        throw ConfigError("a bias does not fit 32 bits", "its scale is too small");
    return static_cast<std::int32_t>(q);
}

}  // namespace edgeloop::inference
