#include "accelerator/unit_text.hpp"

#include <array>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

using inference::Layer;
using inference::Triple;

/// Shifts the padded positions of the input through the rows of a window. Between two rows, and
/// between two frames, lie memories that are as long as what the window does not cover.
class WindowText {
  public:
    WindowText(const Circuit& circuit, const Unit& unit, ModuleText& module)
        : circuit_(circuit),
          unit_(unit),
          layer_(circuit.graph.layers[unit.layer]),
          module_(module),
          grid_(unit.input.shape.grid),
          padded_(grid_),
          width_(unit.input_width()) {
        for (std::size_t d = 0; d < 3; ++d) padded_[d] += layer_.before[d] + layer_.after[d];
    }

    void write() {
        write_walk();
        write_handshake();
        write_rows();
        write_window_wire();
    }

  private:
    /// Whether an axis is at its end, and the step of the next one.
    [[nodiscard]] std::string step_of(std::size_t axis) const {
        std::string step = "shift";
        for (std::size_t d = 2; d > axis; --d) step += fmt::format(" && {}_ends", axes[d]);
        return step;
    }

    void write_walk() {
        module_.comment(
            "The next position to be shifted in, in the padded grid, and how many until a window "
            "ends.");
        for (std::size_t d = 0; d < 3; ++d) {
            const char* const axis = axes[d];
            const int bits = counter_bits(padded_[d]);
            module_.counter(axis, padded_[d], step_of(d));
            module_.line(fmt::format("wire {}_ends = {} == {};", axis, axis,
                                     constant(padded_[d] - 1, bits)));
            const int longest = std::max(layer_.kernel[d], layer_.stride[d]);
            const int wait_bits = counter_bits(longest);
            const std::string first = constant(layer_.kernel[d] - 1, wait_bits);
            module_.line(fmt::format("reg {}{}_wait;", span(wait_bits), axis));
            module_.controlled(
                fmt::format("{}_wait <= {};", axis, first),
                fmt::format("if ({}) {}_wait <= {}_ends ? {} : {}_wait == {} ? {} : {}_wait - {};",
                            step_of(d), axis, axis, first, axis, constant(0, wait_bits),
                            constant(layer_.stride[d] - 1, wait_bits), axis,
                            constant(1, wait_bits)));
            module_.tally.registers += wait_bits;
            module_.tally.logic += wait_bits + 2;
        }
    }

    void write_handshake() {
        std::string inside = "1'b1";
        for (std::size_t d = 0; d < 3; ++d) {
            const int bits = counter_bits(padded_[d]);
            if (layer_.before[d] > 0)
                inside += fmt::format(" && {} >= {}", axes[d], constant(layer_.before[d], bits));
            if (layer_.after[d] > 0)
                inside += fmt::format(" && {} < {}", axes[d],
                                      constant(layer_.before[d] + grid_[d], bits));
        }
        module_.line(fmt::format("wire in_grid = {};", inside));
        module_.line("wire ends_window = t_wait == 0 && h_wait == 0 && w_wait == 0;");
        module_.line("reg whole;  // the window waits for its product, or has begun it");
        const int folds = unit_.folding.cycles();
        if (folds > 1) module_.counter("fold", folds, "issue");
        module_.line(fmt::format("wire issue = {};", issue_condition(unit_, "whole")));
        module_.line(folds > 1 ? fmt::format("wire last_fold = issue && fold == {};",
                                             constant(folds - 1, counter_bits(folds)))
                               : std::string("wire last_fold = issue;"));
        module_.line("wire may_shift = !whole || last_fold;");
        module_.line("assign in_ready = may_shift && in_grid;");
        module_.line("wire shift = may_shift && (!in_grid || in_valid);");
        module_.controlled("whole <= 1'b0;",
                           "if (shift) whole <= ends_window; else if (last_fold) whole <= 1'b0;");
        module_.tally.registers += 1;
        module_.tally.logic += 12;
        write_room(unit_, module_,
                   folds > 1 ? fmt::format("issue && fold == {}", constant(0, counter_bits(folds)))
                             : "issue");
    }

    [[nodiscard]] std::string row(int dt, int dh) const { return fmt::format("row_{}_{}", dt, dh); }
    [[nodiscard]] std::string oldest(int dt, int dh) const {
        return fmt::format("{}[{}:0]", row(dt, dh), width_ - 1);
    }

    void write_rows() {
        const int kt = layer_.kernel[0], kh = layer_.kernel[1], kw = layer_.kernel[2];
        std::string padding = constant(0, static_cast<int>(width_));
        if (unit_.input.elements.zero != 0)
            padding = constant(unit_.input.elements.zero, static_cast<int>(width_));
        module_.line(fmt::format("wire {}newest = in_grid ? in_data : {};", span(width_), padding));
        module_.tally.logic += width_;
        std::vector<std::string> row_ends, frame_ends;
        for (int dt = 0; dt < kt; ++dt)
            for (int dh = 0; dh < kh; ++dh) {
                module_.line(fmt::format("reg {}{};", vector_of(kw * width_), row(dt, dh)));
                if (dh > 0) row_ends.push_back(oldest(dt, dh));
                if (dh == 0 && dt > 0) frame_ends.push_back(oldest(dt, dh));
            }
        const std::int64_t row_gap = padded_[2] - kw;
        const std::int64_t frame_gap =
            std::int64_t{padded_[1]} * padded_[2] - (kh - 1) * std::int64_t{padded_[2]} - kw;
        const std::string after_rows = delayed_by(row_gap, "between_rows", row_ends);
        const std::string after_frames = delayed_by(frame_gap, "between_frames", frame_ends);
        int row_index = 0, frame_index = 0;
        for (int dt = 0; dt < kt; ++dt)
            for (int dh = 0; dh < kh; ++dh) {
                std::string next = "newest";
                if (dh + 1 < kh)
                    next = slice(after_rows, row_index++, width_);
                else if (dt + 1 < kt)
                    next = slice(after_frames, frame_index++, width_);
                const std::string shifted = kw == 1
                                                ? next
                                                : fmt::format("{{{}, {}[{}:{}]}}", next,
                                                              row(dt, dh), kw * width_ - 1, width_);
                module_.at_edge(fmt::format("if (shift) {} <= {};", row(dt, dh), shifted));
            }
        module_.tally.registers += kt * kh * kw * width_;
    }

    /// The values of `steps` shifts ago. @return  the name of all of them together.
    [[nodiscard]] std::string delayed_by(std::int64_t steps, const std::string& name,
                                         const std::vector<std::string>& values) {
        if (values.empty()) return name;
        const std::int64_t bits = width_ * static_cast<std::int64_t>(values.size());
        const std::string input = name + "_in";
        module_.line(fmt::format("wire {}{} = {};", vector_of(bits), input, joined(values)));
        if (steps == 0) return input;
        module_.line(fmt::format("reg {}{};", vector_of(bits), name));
        if (steps == 1) {
            module_.at_edge(fmt::format("if (shift) {} <= {};", name, input));
            module_.tally.registers += bits;
            return name;
        }
        const bool is_block = prefers_block(steps, bits, circuit_.part);
        const int place = counter_bits(steps);
        module_.line(fmt::format("{}reg {}{}_memory [0:{}];",
                                 memory_attribute(is_block, circuit_.part), vector_of(bits), name,
                                 steps - 1));
        module_.counter(name + "_read", steps, "shift");
        module_.line(fmt::format("reg {}{}_write;", span(place), name));
        module_.controlled(fmt::format("{}_write <= {};", name, constant(steps - 1, place)),
                           fmt::format("if (shift) {}_write <= {}_read;", name, name));
        module_.at_edge(
            fmt::format("if (shift) begin {}_memory[{}_write] <= {}; {} <= {}_memory[{}_read]; end",
                        name, name, input, name, name, name));
        module_.tally.memories.push_back({steps, bits, is_block, false});
        module_.tally.registers += place + (is_block ? 0 : bits);
        return name;
    }

    void write_window_wire() {
        std::vector<std::string> rows;
        for (int dt = 0; dt < layer_.kernel[0]; ++dt)
            for (int dh = 0; dh < layer_.kernel[1]; ++dh) rows.push_back(row(dt, dh));
        module_.comment(
            "Elements in the order (t, h, w, channel), the first one in the lowest bits.");
        module_.line(fmt::format("wire {}window = {};",
                                 vector_of(unit_.window * unit_.input.elements.bits),
                                 joined(rows)));
    }

    const Circuit& circuit_;
    const Unit& unit_;
    const Layer& layer_;
    ModuleText& module_;
    Triple grid_, padded_;
    std::int64_t width_;  ///< bits of a position
};

}  // namespace

void write_window(const Circuit& circuit, const Unit& unit, ModuleText& module) {
    WindowText(circuit, unit, module).write();
}

}  // namespace edgeloop::accelerator
