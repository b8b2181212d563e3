#include "accelerator/tool_run.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

/// What cells of yosys take of a part.
const std::map<std::string, Resources>& cells() {
    const auto lut = [](std::int64_t count) { return Resources{count, 0, 0, 0}; };
    const auto ff = Resources{0, 1, 0, 0};
    const auto ram = [](std::int64_t count) { return Resources{0, 0, count, 0}; };
    const auto dsp = Resources{0, 0, 0, 1};
    static const std::map<std::string, Resources> known{
        // Xilinx: LUT memories and shift registers lie in LUTs
        {"LUT1", lut(1)},
        {"LUT2", lut(1)},
        {"LUT3", lut(1)},
        {"LUT4", lut(1)},
        {"LUT5", lut(1)},
        {"LUT6", lut(1)},
        {"RAM32M", lut(4)},
        {"RAM64M", lut(4)},
        {"RAM32X1D", lut(2)},
        {"RAM64X1D", lut(2)},
        {"RAM128X1D", lut(4)},
        {"RAM32M16", lut(8)},
        {"RAM64M8", lut(8)},
        {"SRL16E", lut(1)},
        {"SRLC32E", lut(1)},
        {"FDRE", ff},
        {"FDSE", ff},
        {"FDCE", ff},
        {"FDPE", ff},
        {"RAMB18E1", ram(1)},
        {"RAMB18E2", ram(1)},
        {"RAMB36E1", ram(2)},
        {"RAMB36E2", ram(2)},
        {"DSP48E1", dsp},
        {"DSP48E2", dsp},
        // ECP5: a sum of two bits lies in two LUTs, 16 x 4 bits with their write port in six
        {"CCU2C", lut(2)},
        {"TRELLIS_DPR16X4", lut(6)},
        {"TRELLIS_FF", ff},
        {"DP16KD", ram(1)},
        {"MULT18X18D", dsp},
        // iCE40: carries lie beside the LUT of their sum
        {"SB_LUT4", lut(1)},
        {"SB_RAM40_4K", ram(1)},
        {"SB_MAC16", dsp}};
    return known;
}

Resources counted(const Json& by_type) {
    Resources sum;
    for (const auto& [type, count] : by_type.items()) {
        const auto found = cells().find(type);
        const auto times = count.get<std::int64_t>();
        if (found != cells().end())
            sum += {found->second.lut * times, found->second.ff * times, found->second.ram * times,
                    found->second.dsp * times};
        else if (type.rfind("SB_DFF", 0) == 0)
            sum.ff += times;
    }
    return sum;
}

/// yosys commands that read the design and map it, then `after`.
void run_yosys(Workshop& workshop, const Circuit& circuit, const std::string& after) {
    std::string script;
    for (const TextOfFile& file : rtl_of(circuit))
        script += fmt::format("read_verilog {}\n", file.name);
    script += fmt::format("{} -top accelerator\n{}\n", circuit.part.synthesis, after);
    workshop.write(rtl_of(circuit));
    workshop.write({{"synthesis.ys", script}});
    (void)workshop.run({path_of("yosys"), "-q", "-s", "synthesis.ys"}, "synthesis by yosys");
}

}  // namespace

std::string synthesis_problem() { return problem_of({yosys}); }

std::string placement_problem(const Part& part) {
    if (part.placement.empty())
        return fmt::format("there is no free place and route for {}", part.title);
    return problem_of({yosys, nextpnr_ice40});
}

Resources synthesise(const Circuit& circuit, const ToolLimits& limits) {
    if (const std::string problem = synthesis_problem(); !problem.empty())
        throw IoError("circuits cannot be synthesised here", problem);
    Workshop workshop(limits);
    // Flat: of a hierarchy yosys 0.23 writes statistics that are no JSON.
    run_yosys(workshop, circuit, "flatten\ntee -q -o statistics.json stat -json");
    const std::string file = workshop.folder() + "/statistics.json";
    const std::string text = read_file(file);
    const std::size_t start = text.find('{');
    if (start == std::string::npos) throw IoError("yosys wrote no statistics", {}, {});
    const Json statistics = parse_json(text.substr(start), file);
    return counted(statistics.at("design").at("num_cells_by_type"));
}

std::string netlist_problem() { return problem_of({yosys, icarus}); }

Simulation simulate_netlist(const Circuit& circuit, const TestVectors& vectors,
                            const ToolLimits& limits, const Stalls& stalls) {
    if (circuit.part.family != PartFamily::ice40)
        throw ConfigError(fmt::format("there are no models of the cells of {}", circuit.part.title),
                          "it is done for the family iCE40");
    if (const std::string problem = netlist_problem(); !problem.empty())
        throw IoError("netlists cannot be simulated here", problem);
    Workshop workshop(limits);
    run_yosys(workshop, circuit, "write_verilog -noattr netlist.v");
    workshop.write(test_bench_of(circuit, vectors));
    const std::string cells = std::filesystem::path(path_of("yosys")).parent_path().parent_path() /
                              "share/yosys/ice40/cells_sim.v";
    (void)workshop.run({path_of("iverilog"), "-g2005", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s",
                        "clock", "-o", "simulation", "clock.v", "testbench.v", "netlist.v", cells},
                       "compiling the netlist");
    return simulation_of(
        workshop.run({path_of("vvp"), "simulation", fmt::format("+stalls={}", stalls.seed)},
                     "the simulation of the netlist"),
        vectors.clips.size());
}

double placed_clock_mhz(const Circuit& circuit, const ToolLimits& limits) {
    if (circuit.part.placement.empty()) throw ConfigError(placement_problem(circuit.part));
    if (const std::string problem = placement_problem(circuit.part); !problem.empty())
        throw IoError("circuits cannot be placed here", problem);
    Workshop workshop(limits);
    run_yosys(workshop, circuit, "write_json netlist.json");
    std::istringstream words(circuit.part.placement);
    std::vector<std::string> command;
    for (std::string word; words >> word;) command.push_back(word);
    command.front() = path_of(command.front().c_str());
    for (const char* option : {"--quiet", "--json", "netlist.json", "--report", "report.json",
                               "--pcf-allow-unconstrained", "--timing-allow-fail", "--seed", "1"})
        command.emplace_back(option);
    (void)workshop.run(command, "place and route");
    const std::string file = workshop.folder() + "/report.json";
    const Json report = parse_json(read_file(file), file);
    double slowest = 0;
    for (const auto& [clock, figures] : report.at("fmax").items()) {
        const double achieved = figures.at("achieved").get<double>();
        if (slowest == 0 || achieved < slowest) slowest = achieved;
    }
    if (slowest <= 0) throw IoError("place and route found no clock");
    return slowest;
}

}  // namespace edgeloop::accelerator
