#pragma once

#include "runtime.hpp"

#include "edgeloop/core/json.hpp"

#include <string>

namespace edgeloop {

/// Measures one job with a runtime: every batch size of its settings, conditions before and after.
/// Failures of the network (out of memory, a spec that can't be built) are a result with a reason.
[[nodiscard]] MeasurementResult measure(const MeasurementJob& job, const RuntimeFactory& factory);

/// Body of the hidden subcommand that runs in the measuring process: reads one request from
/// standard input, applies its limits to this process, measures, writes the result to `result_fd`.
///
/// Request: {"spec", "settings", "device_class", "cores": [...]}. Result: as result_to_json().
/// @return exit code.
int measuring_child_main(const RuntimeFactory& factory, int result_fd);

/// Result as JSON and back; the format between the two processes and of `measure --json`.
[[nodiscard]] Json result_to_json(const MeasurementResult& result);
/// @throws ConfigError for anything that is not such a result.
[[nodiscard]] MeasurementResult result_from_json(const Json& json);

}  // namespace edgeloop
