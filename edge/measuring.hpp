#pragma once

#include "harness.hpp"
#include "meters.hpp"
#include "runtime.hpp"
#include "sandbox_settings.hpp"

#include "edgeloop/link/model_job.hpp"

#include <functional>
#include <string>
#include <vector>

namespace edgeloop {

/// What a device has for jobs that are simulated and not timed (simulated_hardware.hpp).
struct SimulationPlace {
    std::string part = {};   ///< the one gate array that this device is; empty: any
    std::string cache = {};  ///< folder of answers that are not simulated again; empty: none
    std::string work = {};   ///< folder for those of tools; empty: the system's temporary one

    [[nodiscard]] Json to_json() const;
    [[nodiscard]] static SimulationPlace from_json(const Json& json);
};

/// What the device allows a measurement.
struct MeasuringLimits {
    std::string weights_folder;  ///< where weights named by the job are; empty: nowhere
    double time_limit_s = 300;   ///< the process of the job is ended after this
    double patience = 1;  ///< times the time budget, at most, when a neighbour disturbs the core
    double memory_limit_mib = 0;  ///< for what the network allocates; 0: none
    std::vector<int> cores;       ///< the process of the job is pinned to these; empty: not pinned
    SandboxSettings sandbox = {};
    ModelFiles files = {};                     ///< of a job about a model
    std::string device_class = {};             ///< of this device: what latencies are promised for
    std::vector<std::string> namespaces = {};  ///< that this process has left for its own
    SimulationPlace simulation = {};           ///< of jobs that are simulated
};

/// How each batch size is timed.
[[nodiscard]] TimingPlan timing_plan(const MeasurementSettings& settings,
                                     const MeasuringLimits& limits);

/// What work fills in, with the seconds it took; what it throws is a failure of the device, or of
/// the network.
/// @param worded  makes a reason of the first line of an error; empty: as it is.
[[nodiscard]] MeasurementResult answer_of(
    const std::function<void(MeasurementResult&)>& work,
    const std::function<std::string(const std::string&)>& worded = {});

/// Measures one job with a runtime, in a process of its own: every batch size of its settings,
/// conditions before and after. What goes wrong there is a result with a reason. Nothing of the
/// runtime is used in this process, so no thread of it is lost by forking.
///
/// Every time, and memory, processor time, energy and conditions, are read in this process. Of what
/// the other says its marks are taken, and numbers of the network's size.
///
/// @param prepare  called in the process of the job, before its memory is limited; may be empty.
/// @param meters  other ones in tests.
[[nodiscard]] MeasurementResult measure(const MeasurementJob& job, const RuntimeFactory& factory,
                                        const MeasuringLimits& limits = {},
                                        const RuntimePreparation& prepare = {},
                                        const std::vector<Meter>& meters = all_meters());

/// What holds the process of a job here, for the device record.
/// @param tries  also tries what should be refused, each in a process of its own: "refused" says
///               how each was, "not_refused" names the others.
/// @throws IoError, ConfigError  there is no such process here.
[[nodiscard]] Json sandbox_report(const MeasuringLimits& limits, bool tries);

}  // namespace edgeloop
