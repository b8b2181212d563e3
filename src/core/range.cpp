#include "edgeloop/core/range.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

// Whole numbers in full: 1000000, not 1e+06.
std::string number(double value) {
    const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
    return whole ? fmt::format("{:.0f}", value) : fmt::format("{:g}", value);
}

}  // namespace

bool Range::has(double value) const {
    return (above ? value > low : value >= low) && value <= high;
}

bool Range::has(std::string_view text) const {
    if (words.empty()) return !needed || !text.empty();
    return std::find(words.begin(), words.end(), text) != words.end();
}

std::string Range::text() const {
    if (words.size() == 1) return words[0];
    if (!words.empty())
        return fmt::format("{} or {}", fmt::join(words.begin(), words.end() - 1, ", "),
                           words.back());
    const std::string from = number(low), to = number(high);
    if (std::isinf(low) && std::isinf(high)) return {};
    if (std::isinf(low)) return "at most " + to;
    const std::string least = (above ? "more than " : "at least ") + from;
    if (std::isinf(high)) return least;
    return above ? fmt::format("{} and at most {}", least, to) : fmt::format("{} to {}", from, to);
}

Range at_least(double low) { return {low}; }
Range between(double low, double high) { return {low, high}; }
Range more_than(double low) {
    Range range(low);
    range.above = true;
    return range;
}
Range one_of(std::vector<std::string> words) {
    Range range;
    range.words = std::move(words);
    return range;
}
Range needed_text() {
    Range range;
    range.needed = true;
    return range;
}

}  // namespace edgeloop
