#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/link/measurement.hpp"

namespace edgeloop {

/// Result as JSON and back; the format between measuring process and agent, and of `measure
/// --json`.
[[nodiscard]] Json result_to_json(const MeasurementResult& result);

/// @throws ConfigError  for anything that is not such a result: other keys or types, more metrics
/// or longer names than there can be, numbers that are not finite.
[[nodiscard]] MeasurementResult result_from_json(const Json& json);

}  // namespace edgeloop
