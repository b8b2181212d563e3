#include "accelerator/shipped_rtl.hpp"
#include "accelerator/unit_text.hpp"

#include "edgeloop/accelerator/rtl.hpp"
#include "edgeloop/core/error.hpp"

#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::accelerator {
namespace {

std::string shipped(std::string_view name) {
    for (const ShippedFile& file : shipped_rtl())
        if (name == file.name) return file.text;
    throw LogicError(fmt::format("no file {} is built in", name));
}

std::string replaced(std::string text, std::string_view what, const std::string& by) {
    const std::size_t at = text.find(what);
    EDGELOOP_EXPECT(at != std::string::npos, "a text without what is to be replaced");
    return text.replace(at, what.size(), by);
}

/// The queue in LUTs that are used as memory.
std::string memory_buffer(const Part& part) {
    return replaced(replaced(replaced(shipped("stream_buffer.v"), "in registers", "in LUT memory"),
                             "module stream_buffer", "module memory_buffer"),
                    "reg [WIDTH-1:0] memory",
                    memory_attribute(false, part) + std::string("reg [WIDTH-1:0] memory"));
}

constexpr int answer_bits = 32;

std::string top_of(const Circuit& circuit) {
    const Unit& last = circuit.units.back();
    const std::int64_t outputs = last.output.shape.elements();
    ModuleText module(
        "accelerator",
        fmt::format("The network: pixels of {} in the order (t, h, w), answers of {} "
                    "accumulators of {} bits.",
                    fmt::join(circuit.graph.input.grid, " x "), outputs, answer_bits));
    module.port("input", "", "in_valid");
    module.port("output", "", "in_ready");
    module.port("input", vector_of(circuit.units.front().input_width()), "in_data");
    module.port("output", "", "out_valid");
    module.port("input", "", "out_ready");
    module.port("output", vector_of(outputs * answer_bits), "out_data");
    module.line("wire valid_0 = in_valid;");
    module.line("wire ready_0;");
    module.line("assign in_ready = ready_0;");
    module.line(
        fmt::format("wire {}data_0 = in_data;", vector_of(circuit.units.front().input_width())));
    for (std::size_t i = 0; i < circuit.units.size(); ++i) {
        const Unit& unit = circuit.units[i];
        module.line(fmt::format("wire valid_{}, ready_{};", i + 1, i + 1));
        module.line(fmt::format("wire {}data_{};", vector_of(unit.output_width()), i + 1));
        module.line(fmt::format("{} unit_{} (.clk(clk), .rst(rst),", unit.name, i));
        module.line(
            fmt::format("    .in_valid(valid_{0}), .in_ready(ready_{0}), .in_data(data_{0}),", i));
        module.line(fmt::format(
            "    .out_valid(valid_{0}), .out_ready(ready_{0}), .out_data(data_{0}));", i + 1));
    }
    const std::size_t end = circuit.units.size();
    module.line(fmt::format("assign out_valid = valid_{};", end));
    module.line(fmt::format("assign ready_{} = out_ready;", end));
    const int bits = last.accumulator_bits();
    const std::int64_t half = std::int64_t{1} << (bits - 1);
    for (std::int64_t i = 0; i < outputs; ++i) {
        const Signal answer =
            module.wire(fmt::format("answer_{}", i), slice(fmt::format("data_{}", end), i, bits),
                        {-half, half - 1});
        module.line(fmt::format("assign {} = {};", slice("out_data", i, answer_bits),
                                answer.extended(answer_bits)));
    }
    return module.text();
}

/// Numbers in hexadecimal digits, for $readmemh, the last one first in a word.
std::string word(const std::vector<std::int64_t>& values, int digits) {
    std::string text;
    for (std::size_t i = values.size(); i-- > 0;)
        text += fmt::format("{:0{}x}", values[i] & ((std::int64_t{1} << (4 * digits)) - 1), digits);
    return text + "\n";
}

}  // namespace

std::vector<TextOfFile> rtl_of(const Circuit& circuit) {
    std::vector<TextOfFile> files{{"accelerator.v", top_of(circuit)}};
    for (const Unit& unit : circuit.units)
        files.push_back({unit.name + ".v", module_of(circuit, unit).text()});
    files.push_back({"stream_buffer.v", shipped("stream_buffer.v")});
    if (circuit.part.has_lut_memory())
        files.push_back({"memory_buffer.v", memory_buffer(circuit.part)});
    return files;
}

std::vector<TextOfFile> test_bench_of(const Circuit& circuit, const TestVectors& vectors) {
    const std::int64_t pixels = circuit.graph.input.positions();
    const auto outputs = circuit.units.back().output.shape.elements();
    std::string clips, answers;
    for (const auto& clip : vectors.clips)
        for (const std::uint8_t pixel : clip) clips += word({pixel}, 2);
    for (const auto& answer : vectors.answers)
        answers += word({answer.begin(), answer.end()}, answer_bits / 4);
    std::string bench = shipped("testbench.v");
    bench = replaced(bench, "CLIPS = 1", fmt::format("CLIPS = {}", vectors.clips.size()));
    bench = replaced(bench, "PIXELS = 1", fmt::format("PIXELS = {}", pixels));
    bench = replaced(bench, "OUTPUTS = 1", fmt::format("OUTPUTS = {}", outputs));
    return {{"testbench.v", bench},
            {"clock.v", shipped("clock.v")},
            {"main.cpp", shipped("main.cpp")},
            {"clips.hex", clips},
            {"answers.hex", answers}};
}

}  // namespace edgeloop::accelerator
