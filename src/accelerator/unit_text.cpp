#include "accelerator/unit_text.hpp"

#include "accelerator/depth.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::accelerator {
namespace {

std::string description_of(const Circuit& circuit, const Unit& unit) {
    const inference::Layer& layer = circuit.graph.layers[unit.layer];
    const inference::Shape &in = unit.input.shape, &out = unit.output.shape;
    std::string text =
        fmt::format("{} of {} x ({}) to {} x ({})", to_string(layer.operation), in.channels,
                    fmt::join(in.grid, ", "), out.channels, fmt::join(out.grid, ", "));
    if (unit.kind == UnitKind::window || unit.kind == UnitKind::max_pool)
        text += fmt::format(", kernel ({})", fmt::join(layer.kernel, ", "));
    if (unit.kind == UnitKind::window)
        text += fmt::format(", stride ({})", fmt::join(layer.stride, ", "));
    if (unit.kind == UnitKind::window || unit.kind == UnitKind::product)
        text += fmt::format(
            ".\n// Weights of {} bits, activations of {} bits in. {} inputs of {} outputs a cycle, "
            "{} "
            "cycles a product",
            layer.integer.weight_bits, unit.input.elements.bits, unit.folding.inputs,
            unit.folding.outputs, unit.folding.cycles());
    return text + ".";
}

}  // namespace

ModuleText unit_module(const Circuit& circuit, const Unit& unit) {
    ModuleText module(unit.name, description_of(circuit, unit));
    module.port("input", "", "in_valid");
    module.port("output", "", "in_ready");
    module.port("input", vector_of(unit.input_width()), "in_data");
    module.port("output", "", "out_valid");
    module.port("input", "", "out_ready");
    module.port("output", vector_of(unit.output_width()), "out_data");
    module.line("wire has_room;");
    return module;
}

ModuleText module_of(const Circuit& circuit, const Unit& unit) {
    if (unit.kind == UnitKind::max_pool) return max_pool_module(circuit, unit);
    if (unit.kind == UnitKind::mean) return mean_module(circuit, unit);
    ModuleText module = unit_module(circuit, unit);
    if (unit.kind == UnitKind::window)
        write_window(circuit, unit, module);
    else
        write_direct_input(unit, module);
    write_product(circuit, unit, module);
    std::vector<Signal> results;
    for (int p = 0; p < unit.folding.outputs; ++p) {
        RoundingInput input;
        const std::int64_t half = std::int64_t{1} << (unit.accumulator_bits() - 1);
        input.value = {fmt::format("acc_{}", p), {-half, half - 1}};  // of one width all of them
        for (int group = 0; group < unit.folding.output_folds; ++group)
            input.channels.push_back(static_cast<std::size_t>(
                std::min(group * unit.folding.outputs + p, unit.output.shape.channels - 1)));
        input.group = "group_done";
        input.prefix = fmt::format("r{}_", p);
        results.push_back(write_rounding(circuit, unit, input, module));
    }
    write_output(circuit, unit, results, unit.folding.output_folds, "done", module);
    return module;
}

void write_direct_input(const Unit& unit, ModuleText& module) {
    const int folds = unit.folding.cycles();
    module.line(fmt::format("wire {}window = in_data;", vector_of(unit.input_width())));
    if (folds > 1) module.counter("fold", folds, "issue");
    if (unit.positions > 1) module.counter("position", unit.positions, "last_fold");
    module.line(fmt::format("wire issue = {};", issue_condition(unit, "in_valid")));
    module.line(folds > 1 ? fmt::format("wire last_fold = issue && fold == {};",
                                        constant(folds - 1, counter_bits(folds)))
                          : std::string("wire last_fold = issue;"));
    module.line("assign in_ready = last_fold;");
    std::string take = "issue";
    if (folds > 1) take += fmt::format(" && fold == {}", constant(0, counter_bits(folds)));
    if (unit.positions > 1)
        take += fmt::format(" && position == {}",
                            constant(unit.positions - 1, counter_bits(unit.positions)));
    module.tally.logic += 6;
    write_room(unit, module, take);
}

std::string issue_condition(const Unit& unit, const std::string& offered) {
    std::string needs_none;
    const int folds = unit.folding.cycles();
    if (folds > 1) needs_none += fmt::format("fold != {} || ", constant(0, counter_bits(folds)));
    if (unit.kind == UnitKind::product && unit.positions > 1)
        needs_none += fmt::format("position != {} || ",
                                  constant(unit.positions - 1, counter_bits(unit.positions)));
    return fmt::format("{} && ({}has_room)", offered, needs_none);
}

void write_room(const Unit& unit, ModuleText& module, const std::string& take) {
    const int bits = counter_bits(unit.buffer + 1);
    module.comment("Room in the buffer, less what is on its way there.");
    module.line(fmt::format("reg {}room;", span(bits)));
    module.line("assign has_room = room != 0;");
    module.line(fmt::format("wire take = {};", take));
    module.line("wire give = out_valid && out_ready;");
    module.controlled(
        fmt::format("room <= {};", constant(unit.buffer, bits)),
        fmt::format(
            "if (take && !give) room <= room - {}; else if (give && !take) room <= room + {};",
            constant(1, bits), constant(1, bits)));
    module.tally.registers += bits;
    module.tally.logic += 2 * bits + 2;
}

void write_output(const Circuit& circuit, const Unit& unit, const std::vector<Signal>& results,
                  int groups, const std::string& valid, ModuleText& module) {
    std::string push = valid;
    const Requantisation& rule = unit.requantisation;
    const int delay =
        unit.kind == UnitKind::mean ? unit.depth : rounding_depth(rule, circuit.hardware);
    if (delay > 0) {
        module.delayed("rounded", delay, valid);
        push = fmt::format("rounded[{}]", delay - 1);
        if (delay == 1) push = "rounded";
    }
    std::vector<std::string> names;
    for (const Signal& result : results) names.push_back(result.name);
    const std::int64_t bits = unit.output_width() / unit.output.shape.channels,
                       together = bits * static_cast<std::int64_t>(names.size());
    module.line(fmt::format("wire {}results = {};", vector_of(together), joined(names)));
    if (groups == 1)
        return write_buffer(circuit, unit, push,
                            fmt::format("results[{}:0]", unit.output_width() - 1), module);
    const std::int64_t kept = (groups - 1) * together;
    module.comment("The groups of a position, the first one in the lowest bits.");
    module.line(fmt::format("reg {}collected;", vector_of(kept)));
    module.counter("results_group", groups, push);
    module.at_edge(fmt::format(
        "if ({}) collected <= {};", push,
        groups == 2 ? std::string("results")
                    : fmt::format("{{results, collected[{}:{}]}}", kept - 1, together)));
    module.tally.registers += kept;
    module.line(fmt::format("wire {}position_results = {{results, collected}};",
                            vector_of(kept + together)));
    write_buffer(
        circuit, unit,
        fmt::format("{} && results_group == {}", push, constant(groups - 1, counter_bits(groups))),
        fmt::format("position_results[{}:0]", unit.output_width() - 1), module);
}

void write_buffer(const Circuit& circuit, const Unit& unit, const std::string& push,
                  const std::string& data, ModuleText& module) {
    const std::int64_t width = unit.output_width();
    const int place = counter_bits(unit.buffer);
    const bool is_memory = circuit.part.has_lut_memory() && unit.buffer > 4;
    module.line(fmt::format("wire push = {};", push));
    module.line(fmt::format("{} #(.WIDTH({}), .DEPTH({}), .BITS({})) buffer (",
                            is_memory ? "memory_buffer" : "stream_buffer", width, unit.buffer,
                            place));
    module.line("    .clk(clk), .rst(rst), .push(push), .push_data(" + data + "),");
    module.line("    .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data)");
    module.line(");");
    Tally& tally = module.tally;
    tally.registers += 3 * place + 1;
    tally.logic += 5 * place + 4;
    if (is_memory) {
        tally.memories.push_back({unit.buffer, width, false, false});
    } else {
        tally.registers += unit.buffer * width;
        tally.selections += (unit.buffer - 1) * width;
        tally.logic += unit.buffer;
    }
}

}  // namespace edgeloop::accelerator
