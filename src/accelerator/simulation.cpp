#include "accelerator/tool_run.hpp"

#include "edgeloop/core/error.hpp"

#include <map>
#include <regex>
#include <sstream>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

/// What the test bench says of the clips.
struct Said {
    std::map<std::size_t, std::int64_t> first, last, answer;  ///< cycles by clip
    std::string difference;
    bool passed = false;
};

Said read(const std::string& text) {
    static const std::regex at(
        "clip (\\d+): (first pixel|last pixel|answer ([0-9a-fx]+)) at cycle (\\d+)");
    Said said;
    std::istringstream lines(text);
    std::string shown;
    for (std::string line; std::getline(lines, line);) {
        std::smatch found;
        if (std::regex_search(line, found, at)) {
            auto& cycles = found[2] == "first pixel"  ? said.first
                           : found[2] == "last pixel" ? said.last
                                                      : said.answer;
            cycles[std::stoul(found[1])] = std::stoll(found[4]);
            if (found[3].matched) shown = found[3];
        } else if (line.find("DIFFERENT") != std::string::npos && said.difference.empty()) {
            said.difference = line + ", not " + shown;
        } else if (line.rfind("PASSED", 0) == 0) {
            said.passed = true;
        } else if (line.rfind("FAILED", 0) == 0 && said.difference.empty()) {
            said.difference = line;
        }
    }
    return said;
}

}  // namespace

std::string simulation_problem() { return problem_of({verilator, compiler, make}); }

Simulation simulation_of(const std::string& output, std::size_t clips) {
    const Said said = read(output);
    Simulation result;
    result.clips = clips;
    result.difference = said.difference;
    result.equal = said.passed && said.answer.size() == clips;
    if (!result.equal && result.difference.empty()) result.difference = "it gave too few answers";
    if (said.answer.count(0) == 0 || said.last.count(0) == 0) return result;
    result.timing.latency = said.answer.at(0) - said.last.at(0);
    result.timing.whole = said.answer.at(0) - said.first.at(0);
    if (said.answer.size() >= 3) result.timing.interval = said.answer.at(2) - said.answer.at(1);
    return result;
}

Simulation simulate(const Circuit& circuit, const TestVectors& vectors, const ToolLimits& limits,
                    const Stalls& stalls) {
    if (const std::string problem = simulation_problem(); !problem.empty())
        throw IoError("circuits cannot be simulated here", problem);
    Workshop workshop(limits);
    workshop.write(rtl_of(circuit));
    workshop.write(test_bench_of(circuit, vectors));
    std::vector<std::string> command{path_of("verilator"),
                                     "--cc",
                                     "--exe",
                                     "--build",
                                     "-Wno-lint",
                                     "-Wno-fatal",
                                     "--top-module",
                                     "testbench",
                                     "-MAKEFLAGS",
                                     "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1",
                                     "main.cpp",
                                     "testbench.v"};
    for (const TextOfFile& file : rtl_of(circuit)) command.push_back(file.name);
    workshop.run(command, "building the simulation");
    return simulation_of(
        workshop.run({"./obj_dir/Vtestbench", fmt::format("+stalls={}", stalls.seed)},
                     "the simulation"),
        vectors.clips.size());
}

}  // namespace edgeloop::accelerator
