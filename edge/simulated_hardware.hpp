#pragma once

#include "measuring.hpp"

#include "edgeloop/core/json.hpp"

#include <string>

namespace edgeloop {

/// Answers a job of the runtime `rtl`: the network becomes a circuit for a gate array, which is
/// simulated and compared with the integer reference. Nothing is timed, so none of what measure()
/// does to time well is done. What goes wrong is a result with a reason.
///
/// The circuit is made, and the tools are started, in a process of the job's own that has a folder
/// of its own, no network and limits; its system calls are not filtered, because tools start
/// programs.
[[nodiscard]] MeasurementResult answer_by_simulation(const MeasurementJob& job,
                                                     const MeasuringLimits& limits);

/// What the device record says of it: "parts", "metrics" and "tools", or the "problem" for which
/// this machine cannot.
/// @param part  the only one; empty: all that there are.
[[nodiscard]] Json simulated_hardware(const std::string& part);

/// A part by its name; never a file. @throws ConfigError  lists those that there are.
void require_part(const std::string& name, const std::string& where);

}  // namespace edgeloop
