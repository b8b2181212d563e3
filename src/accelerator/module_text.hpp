#pragma once

#include "accelerator/tally.hpp"

#include "edgeloop/accelerator/circuit.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::accelerator {

/// Bits of a counter that takes the values 0 to count - 1; at least 1.
[[nodiscard]] int counter_bits(std::int64_t count);
/// A Verilog constant, e.g. "4'd9".
[[nodiscard]] std::string constant(std::int64_t value, int bits);
/// "[7:0] "; nothing for one bit.
[[nodiscard]] std::string span(std::int64_t bits);
/// The same also of one bit: "[0:0] ". What parts are taken of needs it.
[[nodiscard]] std::string vector_of(std::int64_t bits);
/// "name[15:8]", of what was declared with vector_of().
[[nodiscard]] std::string slice(const std::string& name, std::int64_t index, std::int64_t bits);
/// A concatenation of signals, the first one in the lowest bits.
[[nodiscard]] std::string joined(const std::vector<std::string>& from_the_lowest);

/// An integer in a wire or register: unsigned where its range has no negative numbers, else two's
/// complement. Widths follow from ranges, and extensions are written out, so no expression depends
/// on how Verilog mixes signs.
struct Signal {
    std::string name;
    Range range;

    [[nodiscard]] bool is_zero() const { return range.low == 0 && range.high == 0; }
    [[nodiscard]] int bits() const;
    /// As an expression of so many bits, times 2^shift; what is too much is cut off.
    [[nodiscard]] std::string extended(int to_bits, int shift = 0) const;
};

/// A signal times 2^shift, added or subtracted.
struct Term {
    Signal signal;
    int shift = 0;
    bool is_negative = false;
};

/// The text of one module, and a tally of what it is made of.
class ModuleText {
  public:
    ModuleText(std::string name, std::string comment);

    void port(const std::string& direction, const std::string& type, const std::string& name);
    /// Line between ports and clocked statements.
    void line(const std::string& text) { lines_ += "    " + text + "\n"; }
    void comment(const std::string& text) { line("// " + text); }
    /// Statement at each rising edge.
    void at_edge(const std::string& text) { edge_ += "        " + text + "\n"; }
    /// Statement at each rising edge but in a reset, with what a reset sets.
    void controlled(const std::string& reset, const std::string& text);

    /// A wire of this expression.
    Signal wire(const std::string& name, const std::string& expression, const Range& range);
    /// A register that takes the expression at each rising edge.
    Signal registered(const std::string& name, const std::string& expression, const Range& range);
    /// A counter with its reset; `step` is when it counts, from 0 to count - 1 and again.
    void counter(const std::string& name, std::int64_t count, const std::string& step);
    /// A register of `length` bits that a bit is shifted into at its low end.
    void delayed(const std::string& name, int length, const std::string& bit);

    /// Sum of two terms in a register.
    Term sum(const std::string& name, const Term& a, const Term& b);
    /// Sum of all terms by a balanced tree with a register in each of so many levels.
    /// REQUIRES: tree_levels(terms) <= levels.
    Term tree(const std::string& name, std::vector<Term> terms, int levels);

    /// A table of constants as an array with this attribute; words from index 0.
    void table(const std::string& name, int bits, const std::vector<std::string>& words,
               const std::string& attribute);

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::string text() const;
    Tally tally;

  private:
    std::string name_, comment_, ports_, lines_, edge_, resets_, steps_;
};

}  // namespace edgeloop::accelerator
