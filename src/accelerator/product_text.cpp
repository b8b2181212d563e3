#include "accelerator/depth.hpp"
#include "accelerator/unit_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

using inference::Layer;

/// One of several expressions by the bits of a selector, as a tree of selections of two.
std::string selected(const std::vector<std::string>& choices, const std::string& selector,
                     int bit) {
    if (choices.size() == 1) return choices.front();
    const std::size_t half = std::size_t{1} << bit;
    if (choices.size() <= half) return selected(choices, selector, bit - 1);
    const auto middle = choices.begin() + static_cast<std::ptrdiff_t>(half);
    return fmt::format("{}[{}] ? {} : {}", selector, bit,
                       "(" + selected({middle, choices.end()}, selector, bit - 1) + ")",
                       "(" + selected({choices.begin(), middle}, selector, bit - 1) + ")");
}

/// A word of bits as a constant.
class Word {
  public:
    void push(std::int64_t value, int bits) {
        for (int b = 0; b < bits; ++b) bits_.push_back((value >> b & 1) != 0);
    }
    [[nodiscard]] std::string text() const {
        std::string digits;
        for (std::size_t at = 0; at < bits_.size(); at += 4) {
            unsigned digit = 0;
            for (std::size_t b = 0; b < 4 && at + b < bits_.size(); ++b)
                digit |= static_cast<unsigned>(bits_[at + b]) << b;
            digits += "0123456789abcdef"[digit];
        }
        std::reverse(digits.begin(), digits.end());
        return fmt::format("{}'h{}", bits_.size(), digits);
    }

  private:
    std::vector<bool> bits_;
};

class ProductText {
  public:
    ProductText(const Circuit& circuit, const Unit& unit, ModuleText& module)
        : circuit_(circuit),
          unit_(unit),
          layer_(circuit.graph.layers[unit.layer]),
          module_(module),
          fold_(unit.folding),
          depth_(product_depth(unit, layer_, circuit.hardware)),
          is_block_(circuit.hardware.multipliers == "dsp"),
          is_odd_(has_odd_weights(layer_)),
          weight_bits_(layer_.integer.weight_bits + (is_odd_ && is_block_ ? 1 : 0)),
          most_(inference::activation_range(unit.input.elements.bits).high) {}

    void write() {
        write_counters();
        write_inputs();
        write_weights();
        const int outputs = fold_.outputs;
        if (!is_block_ && is_odd_) write_input_sum();
        for (int p = 0; p < outputs; ++p) sums_.push_back(is_block_ ? block_sum(p) : plane_sum(p));
        write_flags();
        for (int p = 0; p < outputs; ++p) write_accumulator(p);
    }

  private:
    [[nodiscard]] std::int64_t words() const { return unit_.positions * fold_.cycles(); }
    [[nodiscard]] bool are_constant() const { return words() == 1; }

    void write_counters() {
        if (fold_.input_folds > 1 && fold_.output_folds > 1)
            module_.counter("input_fold", fold_.input_folds, "issue");
        if (unit_.positions > 1) module_.counter("address", words(), "issue");
    }
    [[nodiscard]] std::string input_fold() const {
        return fold_.output_folds > 1 ? "input_fold" : "fold";
    }

    /// The elements of this fold.
    void write_inputs() {
        const int bits = unit_.input.elements.bits;
        for (int i = 0; i < fold_.inputs; ++i) {
            std::vector<std::string> choices;
            for (int fold = 0; fold < fold_.input_folds; ++fold) {
                const std::int64_t element = std::int64_t{fold} * fold_.inputs + i;
                choices.push_back(element < unit_.window ? slice("window", element, bits)
                                                         : constant(0, bits));
            }
            const int top = counter_bits(fold_.input_folds) - 1;
            inputs_.push_back(module_.registered(fmt::format("x_{}", i),
                                                 selected(choices, input_fold(), top), {0, most_}));
            module_.tally.selections += std::int64_t{bits} * (fold_.input_folds - 1);
        }
    }

    /// The stored form of a weight: k of 2 k + 1, or itself; 0 where there is none.
    [[nodiscard]] std::int64_t stored(std::int64_t position, int fold, int p, int i) const {
        const std::int64_t element = std::int64_t{fold % fold_.input_folds} * fold_.inputs + i;
        const std::int64_t output = std::int64_t{fold / fold_.input_folds} * fold_.outputs + p;
        if (element >= unit_.window || output >= unit_.output.shape.channels) return 0;
        const auto at = static_cast<std::size_t>(
            (output * unit_.positions + position) * unit_.window + element);
        const int q = layer_.integer.weights[at];
        return is_odd_ && !is_block_ ? (q - 1) >> 1 : q;
    }

    void write_weights() {
        if (are_constant()) return;
        std::vector<std::string> words;
        for (std::int64_t position = 0; position < unit_.positions; ++position)
            for (int fold = 0; fold < fold_.cycles(); ++fold) {
                Word word;
                for (int p = 0; p < fold_.outputs; ++p)
                    for (int i = 0; i < fold_.inputs; ++i)
                        word.push(stored(position, fold, p, i), weight_bits_);
                words.push_back(word.text());
            }
        const int bits = fold_.outputs * fold_.inputs * weight_bits_;
        const bool in_block = circuit_.hardware.weights == "bram";
        module_.comment("The weights of each fold: of all inputs of an output, the next output.");
        module_.table("weights", bits, words, table_attribute(in_block, circuit_.part));
        module_.line(fmt::format("reg {}weight;", vector_of(bits)));
        module_.at_edge(
            fmt::format("weight <= weights[{}];", unit_.positions > 1 ? "address" : "fold"));
        module_.tally.memories.push_back({words_count(words), bits, in_block, true});
        if (!in_block) module_.tally.registers += bits;
    }
    static std::int64_t words_count(const std::vector<std::string>& words) {
        return static_cast<std::int64_t>(words.size());
    }

    void write_input_sum() {
        std::vector<Term> terms;
        for (const Signal& x : inputs_) terms.push_back({x});
        input_sum_ = module_.tree("inputs", terms, depth_.tree);
    }

    /// x where bit j of its weight is set, else 0.
    [[nodiscard]] Signal masked(int p, int i, int j) {
        const Signal& x = inputs_[static_cast<std::size_t>(i)];
        if (are_constant()) return (stored(0, 0, p, i) >> j & 1) != 0 ? x : Signal();
        const int bit = (p * fold_.inputs + i) * weight_bits_ + j;
        module_.tally.masks += x.bits();
        const std::string mask = x.bits() == 1 ? fmt::format("weight[{}]", bit)
                                               : fmt::format("{{{}{{weight[{}]}}}}", x.bits(), bit);
        return module_.wire(fmt::format("m_{}_{}_{}", p, i, j),
                            fmt::format("{} & {}", x.name, mask), x.range);
    }

    /// sum q x by the bits of the weights: q = -2^(b - 1) u_(b - 1) + sum 2^j u_j, and of odd
    /// weights q = 2 k + 1 the sum of x besides.
    [[nodiscard]] Term plane_sum(int p) {
        std::vector<Term> planes;
        if (is_odd_) planes.push_back(input_sum_);
        const int bits = layer_.integer.weight_bits;
        for (int j = 0; j < bits; ++j) {
            std::vector<Term> terms;
            for (int i = 0; i < fold_.inputs; ++i) terms.push_back({masked(p, i, j)});
            Term plane = module_.tree(fmt::format("s_{}_{}", p, j), terms, depth_.tree);
            plane.shift = j + (is_odd_ ? 1 : 0);
            plane.is_negative = j + 1 == bits;
            planes.push_back(plane);
        }
        return module_.tree(fmt::format("s_{}", p), planes, depth_.planes);
    }

    [[nodiscard]] Term block_sum(int p) {
        const auto range = inference::weight_range(layer_.integer.weight_bits, layer_.integer.grid);
        std::vector<Term> terms;
        for (int i = 0; i < fold_.inputs; ++i) {
            const int index = p * fold_.inputs + i;
            const std::string weight =
                are_constant() ? constant(stored(0, 0, p, i), weight_bits_)
                               : fmt::format("weight[{}:{}]", (index + 1) * weight_bits_ - 1,
                                             index * weight_bits_);
            const Signal& x = inputs_[static_cast<std::size_t>(i)];
            terms.push_back({module_.registered(
                fmt::format("m_{}_{}", p, i),
                fmt::format("$signed({{1'b0, {}}}) * $signed({})", x.name, weight),
                {range.low * most_, range.high * most_})});
            count_product(terms.back().signal.bits());
        }
        return module_.tree(fmt::format("s_{}", p), terms, depth_.tree);
    }

    void count_product(int bits) {
        const int own = inputs_.front().bits() + 1;
        if (takes_block(own, weight_bits_, bits, circuit_.part)) {
            ++module_.tally.blocks;
            module_.tally.packed += bits + (are_constant() ? 0 : weight_bits_) + own - 1;
        } else {
            module_.tally.masks += std::int64_t{own} * weight_bits_;
            module_.tally.sums += std::int64_t{own} * (weight_bits_ - 1);
        }
    }

    /// Which fold arrives at the accumulators.
    void write_flags() {
        const int length = depth_.slice + depth_.products + depth_.tree + depth_.planes;
        const auto flag = [&](const char* name, const std::string& bit) {
            const std::string pipe = fmt::format("{}_pipe", name);
            module_.delayed(pipe, length, bit);
            module_.line(fmt::format("wire {} = {}[{}];", name, pipe, length - 1));
        };
        flag("go", "issue");
        const bool has_folds = fold_.input_folds > 1;
        if (has_folds) {
            const int bits = counter_bits(fold_.input_folds);
            flag("first", fmt::format("{} == {}", input_fold(), constant(0, bits)));
            flag("last",
                 fmt::format("{} == {}", input_fold(), constant(fold_.input_folds - 1, bits)));
        }
        if (unit_.positions > 1) {
            const int bits = counter_bits(unit_.positions);
            flag("begin_sum", fmt::format("position == {}", constant(0, bits)));
            flag("end_sum", fmt::format("position == {}", constant(unit_.positions - 1, bits)));
        }
        const std::string ends = has_folds ? "go && last" : "go";
        module_.line(fmt::format("wire ends = {};", ends));
        module_.delayed("done", 1, unit_.positions > 1 ? "ends && end_sum" : "ends");
        if (fold_.output_folds == 1) return;
        module_.counter("group", fold_.output_folds, "ends");
        module_.registered("group_done", "group", {0, fold_.output_folds - 1});
    }

    [[nodiscard]] std::string bias_of(int p, int bits) {
        std::vector<std::string> words;
        for (int group = 0; group < fold_.output_folds; ++group) {
            const auto output = static_cast<std::size_t>(group * fold_.outputs + p);
            const auto& bias = layer_.integer.bias;
            words.push_back(constant(output < bias.size() ? bias[output] : 0, bits));
        }
        if (std::all_of(words.begin(), words.end(),
                        [&](const std::string& word) { return word == words.front(); }))
            return words.front();
        const std::string name = fmt::format("bias_{}", p);
        module_.table(name, bits, words, table_attribute(false, circuit_.part));
        module_.tally.memories.push_back({words_count(words), bits, false, true});
        return name + "[group]";
    }

    void write_accumulator(int p) {
        const int bits = unit_.accumulator_bits();
        const std::string name = fmt::format("acc_{}", p), ring = fmt::format("ring_{}", p);
        const bool has_ring = unit_.positions > 1 && fold_.output_folds > 1;
        std::string base = bias_of(p, bits);
        const int length = fold_.output_folds * bits;
        if (has_ring) {
            module_.comment("The sums of all groups, the oldest one at the top.");
            module_.line(fmt::format("reg {}{};", span(length), ring));
        }
        if (unit_.positions > 1) {
            const std::string before = has_ring ? slice(ring, fold_.output_folds - 1, bits) : name;
            base = fmt::format("begin_sum ? {} : {}", base, before);
            module_.tally.selections += bits;
        }
        module_.line(fmt::format("reg {}{};", vector_of(bits), name));
        module_.line(fmt::format("wire {}base_{} = {};", span(bits), p, base));
        std::string from = fmt::format("base_{}", p);
        if (fold_.input_folds > 1) {
            from = fmt::format("(first ? base_{} : {})", p, name);
            module_.tally.selections += bits;
        }
        const Term& sum = sums_[static_cast<std::size_t>(p)];
        module_.line(fmt::format("wire {}next_{} = {} {} {};", span(bits), p, from,
                                 sum.is_negative ? "-" : "+",
                                 sum.signal.extended(bits, sum.shift)));
        module_.at_edge(fmt::format("if (go) {} <= next_{};", name, p));
        module_.tally.sums += bits;
        module_.tally.registers += bits;
        if (!has_ring) return;
        module_.at_edge(fmt::format("if (ends) {} <= {{{}[{}:0], next_{}}};", ring, ring,
                                    length - bits - 1, p));
        module_.tally.registers += length;
    }

    const Circuit& circuit_;
    const Unit& unit_;
    const Layer& layer_;
    ModuleText& module_;
    const Folding& fold_;
    Depth depth_;
    bool is_block_, is_odd_;
    int weight_bits_;
    std::int64_t most_;  ///< largest activation that is read
    std::vector<Signal> inputs_;
    Term input_sum_;
    std::vector<Term> sums_;
};

}  // namespace

void write_product(const Circuit& circuit, const Unit& unit, ModuleText& module) {
    ProductText(circuit, unit, module).write();
}

}  // namespace edgeloop::accelerator
