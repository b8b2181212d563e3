#pragma once

#include "space/place.hpp"
#include "space/space_definition.hpp"

namespace edgeloop {

/// Reads a space file; the grammar is in src/space/README.md.
/// @throws ConfigError  naming the place of the mistake.
[[nodiscard]] SpaceDefinition parse_space(const Json& json, const Place& place);

}  // namespace edgeloop
