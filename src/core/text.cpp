#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
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

struct Letter {
    std::uint32_t code;  ///< point of Unicode
    std::size_t bytes;
};

/// The letter that a text begins with; nothing: it does not begin with UTF-8.
std::optional<Letter> first_letter(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
    };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) return Letter{lead, 1};
    const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return std::nullopt;
    std::uint32_t code = lead & (0x7fU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return std::nullopt;
        code = code << 6U | (byte(i) & 0x3fU);
    }
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least[bytes] || code > 0x10ffff || surrogate) return std::nullopt;
    return Letter{code, bytes};
}

struct Letters {
    std::uint32_t first, last;
};
constexpr Letters commands[] = {
    {0x00, 0x1f},      // control characters: ends of lines, escapes
    {0x7f, 0x9f},      // DEL, and C1: escapes of one letter
    {0x61c, 0x61c},    // direction of writing
    {0x200e, 0x200f},  // the same
    {0x2028, 0x202e},  // separators of lines and paragraphs; direction
    {0x2066, 0x2069},  // direction
};

/// Whether a letter is none to look at but tells whoever prints it to do something.
bool is_command(std::uint32_t code) {
    return std::any_of(std::begin(commands), std::end(commands), [&](const auto& range) {
        return code >= range.first && code <= range.last;
    });
}

bool continues_a_letter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80; }

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

bool is_utf8(std::string_view text) {
    const auto is_long = [](char byte) { return (static_cast<unsigned char>(byte) & 0x80U) != 0; };
    while (true) {
        // Documents are large and nearly all ASCII.
        const auto next = std::find_if(text.begin(), text.end(), is_long);
        text.remove_prefix(static_cast<std::size_t>(next - text.begin()));
        if (text.empty()) return true;
        const std::optional<Letter> letter = first_letter(text);
        if (!letter) return false;
        text.remove_prefix(letter->bytes);
    }
}

std::string printable(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const std::optional<Letter> letter = first_letter(text);
        const std::size_t bytes = letter ? letter->bytes : 1;
        if (!letter)
            shown += fmt::format("\\x{{{:02x}}}", static_cast<unsigned char>(text[0]));
        else if (is_command(letter->code))
            shown += fmt::format("\\u{{{:x}}}", letter->code);
        else
            shown += text.substr(0, bytes);
        text.remove_prefix(bytes);
    }
    return shown;
}

std::string printable_lines(std::string_view text) {
    std::string shown;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        shown += printable(text.substr(0, end)) + '\n';
        text.remove_prefix(end + 1);
    }
    return shown + printable(text);
}

std::string_view beginning(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    while (bytes > 0 && continues_a_letter(text[bytes])) --bytes;
    return text.substr(0, bytes);
}

std::string_view ending(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    std::size_t from = text.size() - bytes;
    while (from < text.size() && continues_a_letter(text[from])) ++from;
    return text.substr(from);
}

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
