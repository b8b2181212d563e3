#include "accelerator/depth.hpp"
#include "accelerator/unit_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

class RoundingText {
  public:
    RoundingText(const Circuit& circuit, const Unit& unit, const RoundingInput& input,
                 ModuleText& module)
        : circuit_(circuit),
          rule_(unit.requantisation),
          input_(input),
          module_(module),
          most_(inference::activation_range(rule_.bits).high) {}

    [[nodiscard]] Signal write() {
        return rule_.rounding == Rounding::thresholds ? count_thresholds() : multiply();
    }

  private:
    [[nodiscard]] std::string own(const char* name) const { return input_.prefix + name; }

    /// A constant of each group: of one group, or where all are alike, the number itself.
    [[nodiscard]] std::string per_group(const char* name, const std::vector<std::int64_t>& values,
                                        int bits) {
        std::vector<std::string> words;
        for (const std::int64_t value : values) words.push_back(constant(value, bits));
        if (std::all_of(words.begin(), words.end(),
                        [&](const std::string& word) { return word == words.front(); }))
            return words.front();
        module_.table(own(name), bits, words, table_attribute(false, circuit_.part));
        module_.tally.memories.push_back(
            {static_cast<std::int64_t>(words.size()), bits, false, true});
        return fmt::format("{}[{}]", own(name), input_.group);
    }

    [[nodiscard]] Signal count_thresholds() {
        const Range& range = input_.value.range;
        // One bit more holds a threshold that is never reached.
        const int bits = input_.value.bits() + (range.low < 0 ? 1 : 2);
        for (int j = 0; j < most_; ++j) {
            std::vector<std::int64_t> values;
            for (const std::size_t channel : input_.channels)
                values.push_back(std::clamp(rule_.thresholds[channel][static_cast<std::size_t>(j)],
                                            range.low, range.high + 1));
            const std::string name = fmt::format("threshold_{}", j);
            const std::string threshold = per_group(name.c_str(), values, bits);
            module_.registered(
                fmt::format("{}reached_{}", input_.prefix, j),
                fmt::format("$signed({}) >= $signed({})", input_.value.extended(bits), threshold),
                {0, 1});
            module_.tally.comparisons += bits;
        }
        std::vector<std::string> digits;
        for (int bit = 0; bit < rule_.bits; ++bit) digits.push_back(digit(rule_.bits - 1, bit, 0));
        module_.tally.logic += most_;
        return module_.registered(own("q"), joined(digits), {0, most_});
    }

    /// A bit of how many thresholds are reached: they are reached in their order, so halving finds
    /// it.
    [[nodiscard]] std::string digit(int at, int wanted, int below) const {
        const std::string half = fmt::format("{}reached_{}", input_.prefix, below + (1 << at) - 1);
        if (at == wanted) return half;
        return fmt::format("({} ? {} : {})", half, digit(at - 1, wanted, below + (1 << at)),
                           digit(at - 1, wanted, below));
    }

    [[nodiscard]] Signal multiply() {
        const std::int64_t high = std::max<std::int64_t>(input_.value.range.high, 0);
        std::vector<std::int64_t> multipliers;
        for (const std::size_t channel : input_.channels)
            multipliers.push_back(rule_.multipliers[channel]);
        const std::int64_t largest = *std::max_element(multipliers.begin(), multipliers.end());
        const int bits = Signal{"", {0, largest}}.bits();
        const std::string factor = per_group("multiplier", multipliers, bits);
        const Signal value = clamped(high);
        const Range range{0, high * largest};
        const bool is_block = circuit_.hardware.multipliers == "dsp";
        return ending(is_block ? block_product(value, factor, bits, range)
                               : tree_product(value, factor, multipliers, bits));
    }

    [[nodiscard]] Signal clamped(std::int64_t high) {
        const Signal& value = input_.value;
        const Signal result{own("positive"), {0, high}};
        const std::string part = Signal{value.name, value.range}.extended(result.bits());
        if (value.range.low >= 0) return module_.registered(result.name, part, result.range);
        module_.tally.logic += result.bits();
        return module_.registered(result.name,
                                  fmt::format("{}[{}] ? {} : {}", value.name, value.bits() - 1,
                                              constant(0, result.bits()), part),
                                  result.range);
    }

    [[nodiscard]] Signal block_product(const Signal& value, const std::string& factor, int bits,
                                       const Range& range) {
        const Signal late =
            module_.registered(own("factor"), factor, {0, (std::int64_t{1} << bits) - 1});
        const Signal product = module_.registered(
            own("product_a"), fmt::format("{} * {}", value.name, late.name), range);
        constexpr int wide = 17, narrow = 17;  // of unsigned numbers in a block
        const auto times = [](int size, int block) { return (size + block - 1) / block; };
        module_.tally.blocks += times(value.bits(), wide) * times(bits, narrow);
        module_.tally.packed += 2 * product.bits() + bits;
        return module_.registered(own("product"), product.name, range);
    }

    /// The sum of the shifted values of the multiplier's bits.
    [[nodiscard]] Signal tree_product(const Signal& value, const std::string& factor,
                                      const std::vector<std::int64_t>& multipliers, int bits) {
        const bool is_constant = std::all_of(multipliers.begin(), multipliers.end(),
                                             [&](auto one) { return one == multipliers.front(); });
        std::vector<Term> terms;
        std::string late;
        if (!is_constant)
            late =
                module_.registered(own("factor"), factor, {0, (std::int64_t{1} << bits) - 1}).name;
        for (int j = 0; j < bits; ++j) {
            if (is_constant) {
                if ((multipliers.front() >> j & 1) != 0) terms.push_back({value, j, false});
                continue;
            }
            const std::string bit = bits == 1 ? late : fmt::format("{}[{}]", late, j);
            const std::string mask =
                value.bits() == 1 ? bit : fmt::format("{{{}{{{}}}}}", value.bits(), bit);
            terms.push_back({module_.wire(fmt::format("{}part_{}", input_.prefix, j),
                                          fmt::format("{} & {}", value.name, mask), value.range),
                             j, false});
            module_.tally.masks += value.bits();
        }
        const int levels = rounding_depth(rule_, circuit_.hardware) - 2;
        const Term product = module_.tree(own("product"), terms, levels);
        if (product.shift == 0 || product.signal.is_zero()) return product.signal;
        const std::int64_t factor_of_shift = std::int64_t{1} << product.shift;
        const Range range{0, product.signal.range.high * factor_of_shift};
        return module_.wire(
            own("shifted"),
            product.signal.extended(product.signal.bits() + product.shift, product.shift), range);
    }

    /// (product + 2^(shift - 1)) >> shift, at most the largest activation.
    [[nodiscard]] Signal ending(const Signal& product) {
        const std::int64_t half = std::int64_t{1} << (rule_.shift - 1);
        const Range range{0, product.range.high + half};
        const int bits = Signal{"", range}.bits();
        const Signal sum = module_.wire(
            own("rounded_sum"),
            fmt::format("{} + {}", product.extended(bits), constant(half, bits)), range);
        module_.tally.sums += bits - rule_.shift + 1;
        const Range shifted{0, range.high >> rule_.shift};
        const int left = Signal{"", shifted}.bits();
        if (shifted.high == 0)
            return module_.registered(own("q"), constant(0, rule_.bits), {0, most_});
        const Signal quotient = module_.wire(
            own("quotient"),
            left == 1 ? fmt::format("{}[{}]", sum.name, rule_.shift)
                      : fmt::format("{}[{}:{}]", sum.name, rule_.shift + left - 1, rule_.shift),
            shifted);
        if (shifted.high <= most_)
            return module_.registered(own("q"), quotient.extended(rule_.bits), {0, most_});
        module_.tally.logic += rule_.bits + (left - rule_.bits + 4) / 5;
        return module_.registered(
            own("q"),
            fmt::format("|{}[{}:{}] ? {} : {}", quotient.name, left - 1, rule_.bits,
                        constant(most_, rule_.bits), quotient.extended(rule_.bits)),
            {0, most_});
    }

    const Circuit& circuit_;
    const Requantisation& rule_;
    const RoundingInput& input_;
    ModuleText& module_;
    int most_;
};

}  // namespace

Signal write_rounding(const Circuit& circuit, const Unit& unit, const RoundingInput& input,
                      ModuleText& module) {
    if (unit.requantisation.rounding == Rounding::none) return input.value;
    return RoundingText(circuit, unit, input, module).write();
}

}  // namespace edgeloop::accelerator
