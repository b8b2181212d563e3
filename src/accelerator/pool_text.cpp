#include "accelerator/unit_text.hpp"

#include <array>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

using inference::Layer;
using inference::Triple;

/// Keeps the largest values so far of a row of windows (of a frame of them, where windows span
/// frames), and a register for the window at hand.
class PoolText {
  public:
    PoolText(const Circuit& circuit, const Unit& unit, ModuleText& module)
        : circuit_(circuit),
          unit_(unit),
          module_(module),
          grid_(unit.input.shape.grid),
          results_(unit.output.shape.grid),
          kernel_(circuit.graph.layers[unit.layer].kernel),
          width_(unit.input_width()) {
        entries_ = kernel_[0] > 1   ? std::int64_t{results_[1]} * results_[2]
                   : kernel_[1] > 1 ? results_[2]
                                    : 0;
    }

    void write() {
        write_walk();
        write_handshake();
        write_stored();
        write_largest();
        write_buffer(circuit_, unit_, "accept && ends_window", "largest", module_);
    }

  private:
    void write_walk() {
        std::string step = "accept", inside = "1'b1", ends = "in_windows";
        for (std::size_t d = 3; d-- > 0;) {
            const char* const axis = axes[d];
            const int bits = counter_bits(grid_[d]);
            module_.counter(axis, grid_[d], step);
            module_.line(
                fmt::format("wire {}_ends = {} == {};", axis, axis, constant(grid_[d] - 1, bits)));
            const int covered = results_[d] * kernel_[d];
            if (covered < grid_[d])
                inside += fmt::format(" && {} < {}", axis, constant(covered, bits));
            if (kernel_[d] > 1) {
                // Place within its window; begins anew with each row, also after an incomplete one.
                const int place = counter_bits(kernel_[d]);
                module_.line(fmt::format("reg {}{}_place;", span(place), axis));
                module_.controlled(
                    fmt::format("{}_place <= {};", axis, constant(0, place)),
                    fmt::format(
                        "if ({}) {}_place <= {}_ends || {}_place == {} ? {} : {}_place + {};", step,
                        axis, axis, axis, constant(kernel_[d] - 1, place), constant(0, place), axis,
                        constant(1, place)));
                ends += fmt::format(" && {}_place == {}", axis, constant(kernel_[d] - 1, place));
                module_.tally.registers += place;
                module_.tally.logic += place + 1;
            }
            step += fmt::format(" && {}_ends", axis);
        }
        module_.line(fmt::format("wire in_windows = {};", inside));
        module_.line(fmt::format("wire ends_window = {};", ends));
        module_.tally.logic += 6;
    }

    void write_handshake() {
        module_.line("assign in_ready = !ends_window || has_room;");
        module_.line("wire accept = in_valid && in_ready;");
        write_room(unit_, module_, "accept && ends_window");
    }

    [[nodiscard]] std::string begins(std::size_t axis) const {
        return kernel_[axis] == 1 ? std::string("1'b1")
                                  : fmt::format("{}_place == {}", axes[axis],
                                                constant(0, counter_bits(kernel_[axis])));
    }
    [[nodiscard]] std::string ends_row() const {
        return kernel_[2] == 1 ? std::string("1'b1")
                               : fmt::format("w_place == {}",
                                             constant(kernel_[2] - 1, counter_bits(kernel_[2])));
    }

    /// What is known of the window that the next position belongs to: `stored`.
    void write_stored() {
        if (entries_ == 0) return;
        module_.line(fmt::format("wire write = accept && in_windows && {};", ends_row()));
        if (entries_ == 1) {
            module_.line(fmt::format("reg {}stored;", vector_of(width_)));
            module_.at_edge("if (write) stored <= largest;");
            module_.tally.registers += width_;
            return;
        }
        write_index();
        // The next index must be another one for a memory that is read a cycle ahead.
        const bool is_ahead = results_[2] > 1;
        const bool is_block = is_ahead && prefers_block(entries_, width_, circuit_.part);
        module_.line(fmt::format("{}reg {}memory [0:{}];",
                                 memory_attribute(is_block, circuit_.part), vector_of(width_),
                                 entries_ - 1));
        module_.at_edge("if (write) memory[index] <= largest;");
        if (is_ahead) {
            module_.line(fmt::format("reg {}stored;", vector_of(width_)));
            module_.at_edge("stored <= memory[next_index];");
        } else {
            module_.line(fmt::format("wire {}stored = memory[index];", vector_of(width_)));
        }
        module_.tally.memories.push_back({entries_, width_, is_block, false});
        if (is_ahead && !is_block) module_.tally.registers += width_;
    }

    /// Of the window in the memory, and of the one after it.
    void write_index() {
        const int bits = counter_bits(entries_), column_bits = counter_bits(results_[2]);
        module_.counter("column", results_[2], "write");
        const std::string last_column =
            fmt::format("column == {}", constant(results_[2] - 1, column_bits));
        std::string after = fmt::format("first_index");
        module_.line(fmt::format("reg {}index, first_index;", span(bits)));
        if (kernel_[0] > 1) {
            const std::string last_row = fmt::format("index == {}", constant(entries_ - 1, bits));
            const std::string row_done =
                kernel_[1] == 1 ? std::string("1'b1")
                                : fmt::format("h_place == {}",
                                              constant(kernel_[1] - 1, counter_bits(kernel_[1])));
            after = fmt::format("{} ? ({} ? {} : index + {}) : first_index", row_done, last_row,
                                constant(0, bits), constant(1, bits));
        }
        module_.line(fmt::format("wire {}after_row = {};", span(bits), after));
        module_.line(
            fmt::format("wire {}next_index = !write ? index : {} ? after_row : index + {};",
                        span(bits), last_column, constant(1, bits)));
        module_.controlled(
            fmt::format("begin index <= {}; first_index <= {}; end", constant(0, bits),
                        constant(0, bits)),
            fmt::format("begin index <= next_index; if (write && {}) first_index <= after_row; end",
                        last_column));
        module_.tally.registers += 2 * bits;
        module_.tally.sums += bits;
        module_.tally.logic += 3 * bits;
    }

    void write_largest() {
        const int bits = unit_.input.elements.bits;
        const bool has_row = kernel_[2] > 1;
        module_.line(fmt::format("wire {}so_far;", vector_of(width_)));
        module_.line("wire is_first;");
        const std::string opens = fmt::format("{} && {}", begins(0), begins(1));
        if (has_row) {
            module_.line(fmt::format("reg {}in_row;", vector_of(width_)));
            module_.at_edge("if (accept) in_row <= largest;");
            module_.tally.registers += width_;
        }
        const std::string stored = entries_ > 0 ? "stored" : "in_data";
        module_.line(has_row ? fmt::format("assign so_far = {} ? {} : in_row;", begins(2), stored)
                             : fmt::format("assign so_far = {};", stored));
        module_.line(fmt::format("assign is_first = {} && {};", begins(2), opens));
        module_.line(fmt::format("wire {}largest;", vector_of(width_)));
        for (std::int64_t c = 0; c < unit_.input.shape.channels; ++c)
            module_.line(fmt::format("assign {} = is_first || {} > {} ? {} : {};",
                                     slice("largest", c, bits), slice("in_data", c, bits),
                                     slice("so_far", c, bits), slice("in_data", c, bits),
                                     slice("so_far", c, bits)));
        module_.tally.comparisons += width_;
        module_.tally.selections += width_ * (has_row ? 2 : 1);
    }

    const Circuit& circuit_;
    const Unit& unit_;
    ModuleText& module_;
    Triple grid_, results_, kernel_;
    std::int64_t width_, entries_;
};

}  // namespace

ModuleText max_pool_module(const Circuit& circuit, const Unit& unit) {
    ModuleText module = unit_module(circuit, unit);
    PoolText(circuit, unit, module).write();
    return module;
}

ModuleText mean_module(const Circuit& circuit, const Unit& unit) {
    ModuleText module = unit_module(circuit, unit);
    const int channels = unit.input.shape.channels, bits = unit.input.elements.bits;
    const std::int64_t positions = unit.input.shape.positions();
    const Signal sum{"sum_0", unit.ranges.front()};
    module.line("reg adding;  // else the means are made one after the other");
    module.line("assign in_ready = adding;");
    module.line("wire accept = in_valid && adding;");
    module.counter("position", positions, "accept");
    const std::string first = fmt::format("channel == {}", constant(0, counter_bits(channels)));
    module.counter("channel", channels, "divide");
    module.line(fmt::format("wire divide = !adding && ({} ? has_room : 1'b1);", first));
    module.controlled("adding <= 1'b1;",
                      fmt::format("if (accept && position == {}) adding <= 1'b0; "
                                  "else if (divide && channel == {}) adding <= 1'b1;",
                                  constant(positions - 1, counter_bits(positions)),
                                  constant(channels - 1, counter_bits(channels))));
    write_room(unit, module, "divide && " + first);
    for (int c = 0; c < channels; ++c) {
        std::string value = slice("in_data", c, bits);
        if (sum.bits() > bits) value = joined({value, constant(0, sum.bits() - bits)});
        const std::string next =
            c + 1 < channels ? fmt::format("sum_{}", c + 1) : constant(0, sum.bits());
        module.line(fmt::format("reg {}sum_{};", span(sum.bits()), c));
        module.controlled(
            fmt::format("sum_{} <= {};", c, constant(0, sum.bits())),
            fmt::format("if (accept) sum_{} <= sum_{} + {}; else if (divide) sum_{} <= {};", c, c,
                        value, c, next));
    }
    module.tally.registers += std::int64_t{channels} * sum.bits() + 1;
    module.tally.sums += std::int64_t{channels} * sum.bits();
    module.tally.selections += std::int64_t{channels} * sum.bits();
    module.tally.logic += 6;
    RoundingInput input;
    input.value = sum;
    for (int c = 0; c < channels; ++c) input.channels.push_back(static_cast<std::size_t>(c));
    input.group = "channel";
    const Signal result = write_rounding(circuit, unit, input, module);
    write_output(circuit, unit, {result}, channels, "divide", module);
    return module;
}

}  // namespace edgeloop::accelerator
