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

std::string problem_of(const Fidelity& fidelity, const Part& part) {
    std::string problem;
    if (fidelity.simulate) problem = simulation_problem();
    if (problem.empty() && fidelity.synthesise) problem = synthesis_problem();
    if (problem.empty() && fidelity.place) problem = placement_problem(part);
    return problem;
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

Json json_of(const Record& record, const Circuit& circuit) {
    const Resources& needs = record.resources;
    Hardware hardware = circuit.hardware;
    Json json{{"part", circuit.part.name},
              {"hardware", write_fields(hardware.fields())},
              {"latency_cycles", record.timing.latency},
              {"interval_cycles", record.timing.interval},
              {"cycles_origin", to_string(record.timing_origin)},
              {"latency_us", record.latency_us()},
              {"clock_mhz", record.clock_mhz},
              {"clock_origin", to_string(record.clock_origin)},
              {"lut", needs.lut},
              {"ff", needs.ff},
              {"ram", needs.ram},
              {"dsp", needs.dsp},
              {"resources_origin", to_string(record.resources_origin)}};
    if (record.outputs_equal) json["outputs_equal"] = *record.outputs_equal;
    return json;
}

}  // namespace edgeloop::accelerator
