#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <string>

namespace edgeloop {

/// What becomes of a symbolic link that is the last part of a path.
enum class Links { follow, refuse };

/// Refuses what is no plain file, without opening it: whoever opens a pipe waits for its other end,
/// and whoever opens a device may set it going.
///
/// @throws ConfigError  there is nothing, or a folder, pipe, device or socket, or a link that is
/// not to be followed; IoError  the system does not tell.
void require_regular_file(const std::string& path, Links links = Links::follow);

/// Opens a plain file for reading and never waits, whatever is at the path: the one way in which
/// files are opened that somebody else may have made.
///
/// @throws ConfigError  as require_regular_file(); IoError  also without permission.
[[nodiscard]] Descriptor open_regular_file(const std::string& path, Links links = Links::follow);

}  // namespace edgeloop
