#include "edgeloop/accelerator/rtl.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::accelerator {
namespace {

std::string layers_table(const Circuit& circuit) {
    std::string rows =
        "| file | cycles a clip, at least | inputs and outputs in parallel |\n| --- | --- | --- "
        "|\n";
    for (const Unit& unit : circuit.units) {
        const bool multiplies = unit.kind == UnitKind::window || unit.kind == UnitKind::product;
        rows += fmt::format("| `{}.v` | {} | {} |\n", unit.name, unit.cycles(),
                            multiplies
                                ? fmt::format("{} x {}", unit.folding.inputs, unit.folding.outputs)
                                : std::string("all channels"));
    }
    return rows;
}

std::string readme_of(const Circuit& circuit, const TestVectors& vectors,
                      const std::string& costs) {
    const Part& part = circuit.part;
    std::string text = fmt::format(
        R"(# A network as a circuit for {title}

`accelerator` (accelerator.v) takes the pixels of a clip of {grid} grey values, one a cycle, frames as they come, and answers with {outputs}
accumulators of 32 bits; times its scale each is an output of the network. Every module has the same two streams: `in_valid`,
`in_ready`, `in_data` and `out_valid`, `out_ready`, `out_data`; what is valid and ready in a cycle is taken. Reset is synchronous, for a
cycle or more. Clips may follow each other without a pause.

{costs}
{layers}
Weights: {weights}. Multipliers: {multipliers}. Asked for: {cycles} cycles a frame at most.

## Simulate
`clips.hex` has {clips} clips and `answers.hex` what the network's integer reference gives for them. Each of the two ends with PASSED;
`+stalls=SEED` holds pixels and answers back at random moments.
```
verilator --cc --exe --build -Wno-lint -Wno-fatal --top-module testbench main.cpp testbench.v -f files.f
obj_dir/Vtestbench
iverilog -g2005 -s clock -o simulation clock.v testbench.v -c files.f && vvp simulation
```

## Synthesise
```
yosys -s synthesis.ys
```
)",
        fmt::arg("title", part.title),
        fmt::arg("grid", fmt::format("{}", fmt::join(circuit.graph.input.grid, " x "))),
        fmt::arg("outputs", circuit.units.back().output.shape.elements()), fmt::arg("costs", costs),
        fmt::arg("layers", layers_table(circuit)),
        fmt::arg("weights", circuit.hardware.weights == "bram" ? "block RAM" : "LUTs"),
        fmt::arg("multipliers",
                 circuit.hardware.multipliers == "dsp" ? "multiplier blocks" : "logic"),
        fmt::arg("cycles", circuit.hardware.cycles), fmt::arg("clips", vectors.clips.size()));
    if (!part.placement.empty())
        text += fmt::format(
            "\n## Place and route\n```\n{} --json netlist.json --report report.json "
            "--pcf-allow-unconstrained\n```\n",
            part.placement);
    return text;
}

}  // namespace

std::vector<TextOfFile> folder_of(const Circuit& circuit, const TestVectors& vectors,
                                  const std::string& costs) {
    std::vector<TextOfFile> files = rtl_of(circuit);
    std::string names, script;
    for (const TextOfFile& file : files) {
        names += file.name + "\n";
        script += fmt::format("read_verilog {}\n", file.name);
    }
    script +=
        fmt::format("{} -top accelerator\nstat\nwrite_json netlist.json\n", circuit.part.synthesis);
    for (TextOfFile& file : test_bench_of(circuit, vectors)) files.push_back(std::move(file));
    files.push_back({"files.f", names});
    files.push_back({"synthesis.ys", script});
    files.push_back({"README.md", readme_of(circuit, vectors, costs)});
    return files;
}

}  // namespace edgeloop::accelerator
