#pragma once

#include "space/space_definition.hpp"

#include "edgeloop/core/object_reader.hpp"

namespace edgeloop {

/// Reads a space file; the grammar is in src/space/README.md.
/// @throws ConfigError  naming the place of the mistake.
[[nodiscard]] SpaceDefinition parse_space(const Json& json, const Place& place);

}  // namespace edgeloop
