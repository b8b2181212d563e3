#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <string>

namespace edgeloop {

/// Opens or creates `path` and keeps other processes from locking it, until the descriptor is
/// destroyed or the process dies. A file system that cannot lock is warned of, not refused.
///
/// @return none (negative) when another process holds it.
/// @throws IoError  the file cannot be opened, or is a symbolic link.
[[nodiscard]] Descriptor lock_file(const std::string& path);

}  // namespace edgeloop
