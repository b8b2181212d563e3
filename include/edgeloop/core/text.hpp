#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace edgeloop {

/// Help for a word that is not among `known`: "did you mean 'seed'?" when one is so near that a
/// slip of the keyboard explains it, else "known: a, b" when they are few, else nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string>& known);

/// Shortest text that reads back as exactly this number, e.g. "0.1", "1e-07", "nan".
[[nodiscard]] std::string shortest(double value);

/// The whole of a text as a number of this type; nothing when it is none, or out of its range.
template <class T>
[[nodiscard]] std::optional<T> number_in(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "1 design", "2 designs". @param noun  whose plural has an s.
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view noun);

/// "1:02:03" or "2:03".
[[nodiscard]] std::string duration(double seconds);

}  // namespace edgeloop
