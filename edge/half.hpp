#pragma once

#include <cmath>
#include <cstdint>

namespace edgeloop {

/// The value of an IEEE 754 binary16 number.
[[nodiscard]] inline float from_half(std::uint16_t bits) {
    constexpr int fraction_bits = 10, bias = 15, most = 31;
    const int exponent = (bits >> fraction_bits) & most;
    const float fraction = static_cast<float>(bits & 0x3ffU);
    float value = 0;
    if (exponent == most)
        value = fraction == 0 ? INFINITY : NAN;
    else if (exponent == 0)
        value = std::ldexp(fraction, 1 - bias - fraction_bits);
    else
        value = std::ldexp(fraction + 1024, exponent - bias - fraction_bits);
    return (bits & 0x8000U) != 0 ? -value : value;
}

}  // namespace edgeloop
