#pragma once

#include "harness.hpp"
#include "meters.hpp"
#include "runtime.hpp"

#include "edgeloop/core/json.hpp"

#include <string>

namespace edgeloop {

/// What the device allows a measurement.
struct MeasuringLimits {
    std::string weights_folder;  ///< where weights named by the job are; empty: nowhere
    double time_limit_s = 300;   ///< whoever waits for the answer gives up after this
    double patience = 1;  ///< times the time budget, at most, when a neighbour disturbs the core
};

/// How each batch size is timed.
[[nodiscard]] TimingPlan timing_plan(const MeasurementSettings& settings,
                                     const MeasuringLimits& limits);

/// Measures one job with a runtime: every batch size of its settings, conditions before and after.
/// Failures of the network (out of memory, a spec that can't be built) are a result with a reason.
/// @param meters  other ones in tests.
[[nodiscard]] MeasurementResult measure(const MeasurementJob& job, const RuntimeFactory& factory,
                                        const MeasuringLimits& limits = {},
                                        const std::vector<Meter>& meters = all_meters());

/// Body of the hidden subcommand that runs in the measuring process. It has loaded the runtime when
/// it starts; for each request, a line of JSON on standard input, it forks a process that applies
/// its limits to itself and measures, and writes one line with the result to `answer_fd`: what the
/// fork answered, or what it died of. Ends when its input does.
///
/// Nothing of the runtime is used before the fork, so no thread of it is lost by forking.
/// Request: {"spec", "settings", "device_class", "cores", "weights_folder", "memory_limit_mib",
/// "time_limit_s", "patience"}. Result: as result_to_json().
/// @param prepare  called in the fork, before its memory is limited.
/// @return exit code.
int measuring_process_main(const RuntimeFactory& factory, const RuntimePreparation& prepare,
                           int answer_fd);

/// Result as JSON and back; the format between the two processes and of `measure --json`.
[[nodiscard]] Json result_to_json(const MeasurementResult& result);
/// @throws ConfigError for anything that is not such a result.
[[nodiscard]] MeasurementResult result_from_json(const Json& json);

}  // namespace edgeloop
