#pragma once

#include <string>

namespace edgeloop {

/// Version, commit, compiler and build type, e.g. "0.1.0 (a1b2c3d, GNU 12.2.0, Release)".
[[nodiscard]] std::string build_description();
/// Version alone, e.g. "0.1.0".
[[nodiscard]] std::string version();

}  // namespace edgeloop
