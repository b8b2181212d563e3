#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <string>

namespace edgeloop {

/// A copy of a file in memory that nobody can change, for a process that may not open the file
/// itself.
/// @throws ConfigError  it is not there, may not be read, is no regular file or has more than 4
/// GiB.
[[nodiscard]] Descriptor sealed_copy(const std::string& path);

}  // namespace edgeloop
