#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Help for a word that is not among `known`: "did you mean 'seed'?" when one is so near that a
/// slip of the keyboard explains it, else "known: a, b" when they are few, else nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string>& known);

/// Shortest text that reads back as exactly this number, e.g. "0.1", "1e-07", "nan".
[[nodiscard]] std::string shortest(double value);

/// "1 design", "2 designs". @param noun  whose plural has an s.
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view noun);

/// "1:02:03" or "2:03".
[[nodiscard]] std::string duration(double seconds);

}  // namespace edgeloop
