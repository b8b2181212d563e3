#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <string>
#include <string_view>

namespace edgeloop {

/// A copy of a file in memory that nobody can change, for a process that may not open the file
/// itself.
/// @throws ConfigError  it is not there, may not be read, is no regular file or has more than 4
/// GiB.
[[nodiscard]] Descriptor sealed_copy(const std::string& path);
/// Likewise of bytes. @throws IoError.
[[nodiscard]] Descriptor sealed_bytes(std::string_view bytes);

}  // namespace edgeloop
