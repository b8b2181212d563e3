#include "edgeloop/accelerator/tools.hpp"
#include "edgeloop/core/error.hpp"

#include <fmt/format.h>

namespace edgeloop::accelerator {

const char* to_string(Origin origin) {
    switch (origin) {
        case Origin::assumed:
            return "assumed";
        case Origin::estimated:
            return "estimated";
        case Origin::synthesised:
            return "synthesised";
        case Origin::placed:
            return "placed";
        case Origin::simulated:
            break;
    }
    return "simulated";
}

Record examine(const Circuit& circuit, const std::vector<std::vector<std::uint8_t>>& clips,
               const Fidelity& fidelity, const ToolLimits& limits) {
    Record record;
    record.timing = timing_of(circuit);
    record.resources = estimated_resources(circuit);
    record.clock_mhz = circuit.part.clock_mhz;
    if (fidelity.synthesise) {
        record.resources = synthesise(circuit, limits);
        record.resources_origin = Origin::synthesised;
    }
    require_fit(record.resources, circuit.part);
    if (fidelity.simulate) {
        const Simulation simulation = simulate(circuit, test_vectors_of(circuit, clips), limits);
        record.outputs_equal = simulation.equal;
        record.difference = simulation.difference;
        record.timing_origin = Origin::simulated;
        const std::int64_t interval = record.timing.interval;
        record.timing = simulation.timing;
        if (clips.size() < 3) record.timing.interval = interval;  // too few to see it
    }
    if (fidelity.place) {
        record.clock_mhz = placed_clock_mhz(circuit, limits);
        record.clock_origin = Origin::placed;
    }
    return record;
}

}  // namespace edgeloop::accelerator
