#include "edgeloop/accelerator/circuit.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/integer.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace edgeloop::accelerator {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// (2 j - 1) 2^(shift - 1): what accumulator times multiplier must reach for the result j.
Wide border(std::size_t j, int shift) { return Wide(2 * j - 1) << (shift - 1); }

std::int64_t ratio_up(Wide numerator, Wide denominator) {
    const Wide quotient = (numerator + denominator - 1) / denominator;
    return quotient > Wide(never) ? never : static_cast<std::int64_t>(quotient);
}

/// Least accumulators whose results are 1, 2, ...; never where there is none.
std::vector<std::int64_t> thresholds_of(const inference::Dyadic& ratio, int bits) {
    std::vector<std::int64_t> list;
    const auto high = static_cast<std::size_t>(inference::activation_range(bits).high);
    for (std::size_t j = 1; j <= high; ++j)
        list.push_back(ratio.multiplier == 0
                           ? never
                           : ratio_up(border(j, ratio.shift), Wide(ratio.multiplier)));
    return list;
}

/// The least multiplier over 2^shift that has the same thresholds for all accumulators up to
/// `high`.
std::optional<std::int64_t> multiplier_of(const std::vector<std::int64_t>& thresholds,
                                          std::int64_t high, int shift) {
    if (high <= 0) return 0;
    std::int64_t least = 0, most = never;
    for (std::size_t j = 1; j <= thresholds.size(); ++j) {
        const std::int64_t at = thresholds[j - 1];
        const Wide edge = border(j, shift);
        if (at > high) {
            most = std::min(most, ratio_up(edge, Wide(high)) - 1);
            break;
        }
        least = std::max(least, ratio_up(edge, Wide(at)));
        if (at > 1) most = std::min(most, ratio_up(edge, Wide(at - 1)) - 1);
    }
    if (least > most) return std::nullopt;
    return least;
}

std::optional<std::vector<std::int64_t>> multipliers_of(
    const std::vector<std::vector<std::int64_t>>& thresholds, const std::vector<Range>& ranges,
    int shift) {
    std::vector<std::int64_t> multipliers;
    for (std::size_t c = 0; c < ranges.size(); ++c) {
        const auto one = multiplier_of(thresholds[c], ranges[c].high, shift);
        if (!one) return std::nullopt;
        multipliers.push_back(*one);
    }
    return multipliers;
}

int bits_of(std::int64_t value) {
    int bits = 0;
    for (; value > 0; value >>= 1) ++bits;
    return bits;
}

}  // namespace

Requantisation requantisation_of(const std::vector<inference::Dyadic>& ratios,
                                 const std::vector<Range>& ranges, int bits) {
    EDGELOOP_EXPECT(ratios.size() == ranges.size(), "a range for each channel");
    Requantisation rule;
    rule.bits = bits;
    for (const inference::Dyadic& ratio : ratios)
        rule.thresholds.push_back(thresholds_of(ratio, bits));
    std::optional<std::vector<std::int64_t>> found;
    for (rule.shift = 1; rule.shift < inference::max_shift; ++rule.shift)
        if ((found = multipliers_of(rule.thresholds, ranges, rule.shift))) break;
    if (!found) found = multipliers_of(rule.thresholds, ranges, rule.shift);
    EDGELOOP_EXPECT(found.has_value(), "the ratio itself has its thresholds");
    rule.multipliers = *found;
    const int width = bits_of(*std::max_element(found->begin(), found->end()));
    rule.rounding = (1 << bits) - 1 < width ? Rounding::thresholds : Rounding::multiplier;
    return rule;
}

std::int64_t requantised(const Requantisation& rule, std::size_t channel,
                         std::int64_t accumulator) {
    if (rule.rounding == Rounding::none) return accumulator;
    if (rule.rounding == Rounding::thresholds) {
        const auto& thresholds = rule.thresholds[channel];
        return std::count_if(thresholds.begin(), thresholds.end(),
                             [&](std::int64_t one) { return accumulator >= one; });
    }
    __extension__ const __int128 product =
        static_cast<__int128>(std::max<std::int64_t>(accumulator, 0)) * rule.multipliers[channel];
    const auto q = static_cast<std::int64_t>(
        (product + (static_cast<__int128>(1) << (rule.shift - 1))) >> rule.shift);
    return std::min<std::int64_t>(q, inference::activation_range(rule.bits).high);
}

}  // namespace edgeloop::accelerator
