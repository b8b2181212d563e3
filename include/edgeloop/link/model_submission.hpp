#pragma once

#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/measurement.hpp"
#include "edgeloop/link/model_job.hpp"

#include <functional>
#include <optional>
#include <string>

namespace edgeloop {

/// What somebody wants to have measured: a job about a model in a file.
struct ModelSubmission {
    BridgeAddress address;
    std::string name;  ///< of this client at the bridge
    MeasurementJob job;
    ModelFiles files;
};

/// Has a running bridge take the job with its files, and, if asked to, waits for what came of it.
/// The same question asked again, also after a restart of the bridge, is the same job.
///
/// @param wait  for the outcome; else until the bridge keeps job and files.
/// @param give_up  asked often; true ends the waiting. May throw.
/// @return nothing without `wait`, or when given up.
/// @throws ConfigError  the bridge refuses it; IoError, ConfigError  a file cannot be read.
[[nodiscard]] std::optional<MeasurementResult> submit_model(const ModelSubmission& submission,
                                                            bool wait,
                                                            const std::function<bool()>& give_up);

}  // namespace edgeloop
