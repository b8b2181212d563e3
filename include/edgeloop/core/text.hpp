#pragma once

#include <charconv>
#include <cstddef>
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

/// Whether `text` is well-formed UTF-8 (no overlong forms, surrogates or values above U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text);

/// Text of somebody else as one line that shows what is in it, whoever prints it. What would do
/// something instead becomes visible: control characters (C0, DEL, C1), separators of lines and
/// paragraphs and marks of the direction of writing read \u{1b}, bytes that are no UTF-8 \x{ff}.
/// All else stays, so cleaning what is clean changes nothing. It grows sixfold at most; the way
/// back is lost.
[[nodiscard]] std::string printable(std::string_view text);

/// The same of a text of several lines: their ends ('\n') stay.
[[nodiscard]] std::string printable_lines(std::string_view text);

/// The longest beginning, or end, of at most `bytes` bytes that is cut between two letters (code
/// points) and not within one.
[[nodiscard]] std::string_view beginning(std::string_view text, std::size_t bytes);
[[nodiscard]] std::string_view ending(std::string_view text, std::size_t bytes);

/// "1 design", "2 designs". @param noun  whose plural has an s.
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view noun);

/// "1:02:03" or "2:03".
[[nodiscard]] std::string duration(double seconds);

}  // namespace edgeloop
