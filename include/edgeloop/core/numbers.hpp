#pragma once

#include <limits>

namespace edgeloop {

constexpr double pi = 3.14159265358979323846;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double bytes_per_mib = 1024.0 * 1024.0;

constexpr double square(double x) { return x * x; }

}  // namespace edgeloop
