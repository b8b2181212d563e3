#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
        }
    }
    return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    constexpr std::size_t few = 12;
    const auto best = std::min_element(known.begin(), known.end(),
                                       [&](const std::string& a, const std::string& b) {
                                           return edit_distance(a, word) < edit_distance(b, word);
                                       });
    if (best == known.end()) return {};
    if (edit_distance(*best, word) <= std::max<std::size_t>(1, best->size() / 2))
        return fmt::format("did you mean '{}'?", *best);
    return known.size() <= few ? fmt::format("known: {}", fmt::join(known, ", ")) : std::string();
}

std::string shortest(double value) { return fmt::format("{}", value); }

std::string plural(std::uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string duration(double seconds) {
    const auto whole = static_cast<long>(std::llround(seconds));
    if (whole >= 3600)
        return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace edgeloop
