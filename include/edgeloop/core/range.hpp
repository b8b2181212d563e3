#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Which values a setting may have; by default all of its type. A number lies between bounds, a
/// text is one of the words or, when it is needed, anything but empty.
struct Range {
    double low, high;
    bool above = false;  ///< `low` itself is out of range
    std::vector<std::string> words;
    bool needed = false;

    Range(double lowest = -std::numeric_limits<double>::infinity(),
          double highest = std::numeric_limits<double>::infinity())
        : low(lowest), high(highest) {}

    [[nodiscard]] bool has(double value) const;
    [[nodiscard]] bool has(std::string_view text) const;
    /// E.g. "at least 2", "more than 0", "0 to 1", "auto, cpu or cuda"; empty: all values.
    [[nodiscard]] std::string text() const;
};

[[nodiscard]] Range at_least(double low);
[[nodiscard]] Range more_than(double low);
/// Both included.
[[nodiscard]] Range between(double low, double high);
[[nodiscard]] Range one_of(std::vector<std::string> words);
[[nodiscard]] Range needed_text();

}  // namespace edgeloop
