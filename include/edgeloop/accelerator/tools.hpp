#pragma once

#include "edgeloop/accelerator/cost.hpp"
#include "edgeloop/accelerator/rtl.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace edgeloop::accelerator {

/// Of what the tools may take together, and where.
struct ToolLimits {
    double seconds = 600;
    std::int64_t memory_mib = 8192;  ///< of address space, each process
    std::string folder;  ///< for intermediate files; empty: a temporary one, removed afterwards
};

/// Why circuits cannot be simulated, synthesised or placed here, or an empty text: a tool is absent
/// or too old. One line that names packages and versions.
[[nodiscard]] std::string simulation_problem();
[[nodiscard]] std::string synthesis_problem();
[[nodiscard]] std::string placement_problem(const Part& part);
[[nodiscard]] std::string netlist_problem();

struct Simulation {
    Timing timing;  ///< of the run without stalls; of one or two clips no interval
    bool equal = false;
    std::string difference;  ///< the first one, where the outputs are not equal
    std::size_t clips = 0;
};
struct Stalls {
    std::uint32_t seed = 0;  ///< 0: pixels are always there, answers always taken
};

/// Builds the circuit with its test bench by Verilator, and runs it.
/// @throws IoError  no tool (simulation_problem()), beyond a limit, or the tool failed.
[[nodiscard]] Simulation simulate(const Circuit& circuit, const TestVectors& vectors,
                                  const ToolLimits& limits, const Stalls& stalls = {});

/// What yosys counts for the part. @throws IoError as simulate().
[[nodiscard]] Resources synthesise(const Circuit& circuit, const ToolLimits& limits);

/// Runs the test bench by Icarus on what yosys made of the circuit for an iCE40, cell by cell.
/// @throws IoError as simulate(); ConfigError: another part.
[[nodiscard]] Simulation simulate_netlist(const Circuit& circuit, const TestVectors& vectors,
                                          const ToolLimits& limits, const Stalls& stalls = {});

/// Highest clock in MHz after place and route. @throws IoError as simulate(); ConfigError: the part
/// has no free place and route, or the design does not fit it.
[[nodiscard]] double placed_clock_mhz(const Circuit& circuit, const ToolLimits& limits);

/// How a figure came about.
enum class Origin : std::uint8_t {
    assumed,      ///< the part's file says so
    estimated,    ///< by a formula
    synthesised,  ///< yosys counted
    placed,       ///< place and route found out
    simulated,    ///< Verilator counted
};
[[nodiscard]] const char* to_string(Origin origin);

/// What is found out about a circuit.
struct Record {
    Timing timing;
    Origin timing_origin = Origin::estimated;
    Resources resources;
    Origin resources_origin = Origin::estimated;
    double clock_mhz = 0;
    Origin clock_origin = Origin::assumed;
    std::optional<bool> outputs_equal;  ///< to the integer reference; nothing: not simulated
    std::string difference;

    /// At least a cycle: an answer that does not depend on the last pixels, which a pool drops, may
    /// be there before them.
    [[nodiscard]] double latency_us() const {
        return static_cast<double>(std::max<std::int64_t>(timing.latency, 1)) / clock_mhz;
    }
};

/// Which of the three fidelities a record has.
struct Fidelity {
    bool simulate = true, synthesise = false, place = false;
};

/// Why a circuit cannot be examined so here, as simulation_problem() and its like say it.
[[nodiscard]] std::string problem_of(const Fidelity& fidelity, const Part& part);
/// Which tools these take, and their versions, in a line.
[[nodiscard]] std::string tool_versions(const Fidelity& fidelity);

/// @param clips  that a simulation shows the circuit; at least 3 for an interval.
/// @throws as circuit_of(), require_fit(), simulate(), synthesise(), placed_clock_mhz().
[[nodiscard]] Record examine(const Circuit& circuit,
                             const std::vector<std::vector<std::uint8_t>>& clips,
                             const Fidelity& fidelity, const ToolLimits& limits);

/// A record as files and results have it, each figure with its origin.
[[nodiscard]] Json json_of(const Record& record, const Circuit& circuit);

}  // namespace edgeloop::accelerator
