#pragma once

#include "edgeloop/core/text.hpp"
#include "edgeloop/link/measurement.hpp"

#include <optional>
#include <string>

namespace edgeloop {

/// Makes a result fit the protocol's bounds: a reason that is long or not printable() is cut or
/// cleaned, values that are not finite are left out (not measured), a record that is too large is
/// dropped.
void fit_to_limits(MeasurementResult& result);

/// Asks a result for what its device may deliver. A completed one with a metric that the table
/// (evaluation/metrics.hpp) gives to no device or that was not asked for, with a value out of its
/// range, or with another number of parameters than the network has, is none: it becomes a failure
/// of the device, with a reason that names device, metric and value. Metrics of any other result
/// go.
///
/// @param job     whose result it is; null: not known, so batch sizes and parameters are not
///                compared with it.
/// @param device  named in the reason.
/// @return whether it was refused.
bool refuse_impossible(MeasurementResult& result, const MeasurementJob* job,
                       const std::string& device);

/// A device's record as it came over the network, as JSON text that can be kept and shown; "{}" for
/// what is not a JSON object or too large.
[[nodiscard]] std::string sound_record(const std::string& text);

}  // namespace edgeloop
