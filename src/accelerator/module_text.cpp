#include "accelerator/module_text.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop::accelerator {

int counter_bits(std::int64_t count) {
    int bits = 1;
    while (count - 1 >= std::int64_t{1} << bits) ++bits;
    return bits;
}

std::string constant(std::int64_t value, int bits) {
    if (bits >= 63) return fmt::format("{}'h{:x}", bits, static_cast<std::uint64_t>(value));
    return fmt::format("{}'d{}", bits, value & ((std::int64_t{1} << bits) - 1));
}

std::string span(std::int64_t bits) { return bits == 1 ? "" : fmt::format("[{}:0] ", bits - 1); }

std::string vector_of(std::int64_t bits) { return fmt::format("[{}:0] ", bits - 1); }

std::string slice(const std::string& name, std::int64_t index, std::int64_t bits) {
    if (bits == 1) return fmt::format("{}[{}]", name, index);
    return fmt::format("{}[{}:{}]", name, (index + 1) * bits - 1, index * bits);
}

std::string joined(const std::vector<std::string>& from_the_lowest) {
    if (from_the_lowest.size() == 1) return from_the_lowest.front();
    std::string text;
    std::size_t length = 0;
    for (std::size_t i = from_the_lowest.size(); i-- > 0;) {
        text += from_the_lowest[i];
        length += from_the_lowest[i].size() + 2;
        if (i == 0) continue;
        text += length > 100 ? ",\n        " : ", ";
        if (length > 100) length = 0;
    }
    return "{" + text + "}";
}

int Signal::bits() const {
    int bits = 1;
    if (range.low < 0) {
        while (range.low < -(std::int64_t{1} << (bits - 1)) || range.high >= std::int64_t{1}
                                                                                 << (bits - 1))
            ++bits;
        return bits;
    }
    while (range.high >= std::int64_t{1} << bits) ++bits;
    return bits;
}

std::string Signal::extended(int to_bits, int shift) const {
    if (is_zero()) return constant(0, to_bits);
    const int own = bits(), kept = std::min(own, to_bits - shift);
    EDGELOOP_EXPECT(kept > 0, "nothing of a signal is left");
    std::vector<std::string> parts;
    if (shift > 0) parts.push_back(constant(0, shift));
    parts.push_back(kept == own ? name
                    : kept == 1 ? name + "[0]"
                                : fmt::format("{}[{}:0]", name, kept - 1));
    const int more = to_bits - shift - kept;
    if (more > 0 && range.low >= 0) parts.push_back(constant(0, more));
    if (more > 0 && range.low < 0)
        parts.push_back(own == 1 ? fmt::format("{{{}{{{}}}}}", more, name)
                                 : fmt::format("{{{}{{{}[{}]}}}}", more, name, own - 1));
    return joined(parts);
}

ModuleText::ModuleText(std::string name, std::string comment)
    : name_(std::move(name)), comment_(std::move(comment)) {
    port("input", "", "clk");
    port("input", "", "rst");
}

void ModuleText::port(const std::string& direction, const std::string& type,
                      const std::string& name) {
    ports_ += fmt::format("{}    {} wire {}{}", ports_.empty() ? "" : ",\n", direction, type, name);
}

void ModuleText::controlled(const std::string& reset, const std::string& text) {
    resets_ += "            " + reset + "\n";
    steps_ += "            " + text + "\n";
}

Signal ModuleText::wire(const std::string& name, const std::string& expression,
                        const Range& range) {
    Signal signal{name, range};
    line(fmt::format("wire {}{} = {};", span(signal.bits()), name, expression));
    return signal;
}

Signal ModuleText::registered(const std::string& name, const std::string& expression,
                              const Range& range) {
    Signal signal{name, range};
    line(fmt::format("reg {}{};", span(signal.bits()), name));
    at_edge(fmt::format("{} <= {};", name, expression));
    tally.registers += signal.bits();
    return signal;
}

void ModuleText::counter(const std::string& name, std::int64_t count, const std::string& step) {
    const int bits = counter_bits(count);
    line(fmt::format("reg {}{};", vector_of(bits), name));
    controlled(fmt::format("{} <= {};", name, constant(0, bits)),
               fmt::format("if ({}) {} <= {} == {} ? {} : {} + {};", step, name, name,
                           constant(count - 1, bits), constant(0, bits), name, constant(1, bits)));
    tally.registers += bits;
    tally.sums += bits;
    tally.logic += 1 + bits / 4;
}

void ModuleText::delayed(const std::string& name, int length, const std::string& bit) {
    line(fmt::format("reg {}{};", span(length), name));
    const std::string next = length == 1   ? bit
                             : length == 2 ? fmt::format("{{{}[0], {}}}", name, bit)
                                           : fmt::format("{{{}[{}:0], {}}}", name, length - 2, bit);
    controlled(fmt::format("{} <= {};", name, constant(0, length)),
               fmt::format("{} <= {};", name, next));
    tally.registers += length;
}

Term ModuleText::sum(const std::string& name, const Term& a, const Term& b) {
    const int shift = std::min(a.shift, b.shift);
    const auto scaled = [&](const Term& term) {
        const std::int64_t factor = std::int64_t{1} << (term.shift - shift);
        return Range{term.signal.range.low * factor, term.signal.range.high * factor};
    };
    const Range left = scaled(a), right = scaled(b);
    Term result;
    result.shift = shift;
    result.is_negative = a.is_negative && b.is_negative;
    const bool is_difference = a.is_negative != b.is_negative;
    const Term& plus = is_difference && a.is_negative ? b : a;
    const Term& other = is_difference && a.is_negative ? a : b;
    const Range& p = is_difference && a.is_negative ? right : left;
    const Range& o = is_difference && a.is_negative ? left : right;
    const Range range = is_difference ? Range{p.low - o.high, p.high - o.low}
                                      : Range{p.low + o.low, p.high + o.high};
    const int bits = Signal{name, range}.bits();
    result.signal = registered(
        name,
        fmt::format("{} {} {}", plus.signal.extended(bits, plus.shift - shift),
                    is_difference ? "-" : "+", other.signal.extended(bits, other.shift - shift)),
        range);
    // Bits below the other's lowest pass by.
    tally.sums += bits - std::abs(a.shift - b.shift);
    return result;
}

Term ModuleText::tree(const std::string& name, std::vector<Term> terms, int levels) {
    terms.erase(std::remove_if(terms.begin(), terms.end(),
                               [](const Term& term) { return term.signal.is_zero(); }),
                terms.end());
    if (terms.empty()) return {};
    for (int level = 1; level <= levels; ++level) {
        std::vector<Term> next;
        for (std::size_t i = 0; i < terms.size(); i += 2) {
            const std::string own = fmt::format("{}_{}_{}", name, level, i / 2);
            if (i + 1 < terms.size()) {
                next.push_back(sum(own, terms[i], terms[i + 1]));
                continue;
            }
            Term alone = terms[i];
            alone.signal = registered(own, alone.signal.name, alone.signal.range);
            next.push_back(alone);
        }
        terms = std::move(next);
    }
    EDGELOOP_EXPECT(terms.size() == 1, "a tree of too few levels");
    return terms.front();
}

void ModuleText::table(const std::string& name, int bits, const std::vector<std::string>& words,
                       const std::string& attribute) {
    line(fmt::format("{}reg {}{} [0:{}];", attribute, vector_of(bits), name, words.size() - 1));
    line("initial begin");
    for (std::size_t i = 0; i < words.size(); ++i)
        line(fmt::format("    {}[{}] = {};", name, i, words[i]));
    line("end");
}

std::string ModuleText::text() const {
    std::string text =
        fmt::format("// {}\nmodule {} (\n{}\n);\n{}", comment_, name_, ports_, lines_);
    if (!edge_.empty()) text += fmt::format("    always @(posedge clk) begin\n{}    end\n", edge_);
    if (!steps_.empty())
        text += fmt::format(
            "    always @(posedge clk) begin\n        if (rst) begin\n{}        end else begin\n{}"
            "        end\n    end\n",
            resets_, steps_);
    return text + "endmodule\n";
}

}  // namespace edgeloop::accelerator
