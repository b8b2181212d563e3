#pragma once

#include "edgeloop/accelerator/circuit.hpp"
#include "edgeloop/accelerator/part.hpp"

#include <cstdint>

namespace edgeloop::accelerator {

/// Clock cycles of a pipeline, clips offered as fast as it takes them.
struct Timing {
    std::int64_t latency = 0;   ///< from the last pixel of a first clip to its answer
    std::int64_t interval = 0;  ///< between the answers of the second and the third clip
    std::int64_t whole = 0;     ///< from the first pixel of a first clip to its answer

    friend bool operator==(const Timing& a, const Timing& b) {
        return a.latency == b.latency && a.interval == b.interval && a.whole == b.whole;
    }
};

/// Exact: what a simulation of the generated text counts.
[[nodiscard]] Timing timing_of(const Circuit& circuit);

/// What yosys will count, estimated by the formulas of src/accelerator/README.md.
[[nodiscard]] Resources estimated_resources(const Circuit& circuit);

/// @throws ConfigError  the part has not so much, or a design may not use so much of it.
void require_fit(const Resources& resources, const Part& part);

}  // namespace edgeloop::accelerator
