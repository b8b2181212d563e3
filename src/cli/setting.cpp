#include "cli/setting.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace edgeloop::cli {
namespace {

constexpr std::string_view blanks = " \t\r\v\f";
// What stands behind a backslash, and what it means.
constexpr std::string_view escapes = "\"\\nrt", meanings = "\"\\\n\r\t";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Without a comment at its end.
std::string_view bare_value(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '#' && (i == 0 || blanks.find(text[i - 1]) != std::string_view::npos))
            return trimmed(text.substr(0, i));
    return trimmed(text);
}

// @param text  begins with a quote.
// @throws ConfigError  with a reason only.
std::string quoted_value(std::string_view text) {
    std::string value;
    std::size_t i = 1;
    for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] != '\\') {
            value += text[i];
            continue;
        }
        ++i;
        const auto escape = i < text.size() ? escapes.find(text[i]) : std::string_view::npos;
        if (escape == std::string_view::npos)
            throw ConfigError("a backslash in quotes stands before \" \\ n r t");
        value += meanings[escape];
    }
    if (i >= text.size()) throw ConfigError("the quotes are not closed");
    const std::string_view rest = text.substr(i + 1);
    if (!bare_value(rest).empty() || (!rest.empty() && rest[0] == '#'))
        throw ConfigError(fmt::format("'{}' stands after the closing quote", trimmed(rest)));
    return value;
}

ConfigLine config_line(std::string_view text) {
    const auto equals = text.find('=');
    if (text[0] == '[') throw ConfigError("it is a section, and config files have none");
    if (equals == std::string_view::npos) throw ConfigError("it is not 'name = value'");
    ConfigLine line;
    line.name = trimmed(text.substr(0, equals));
    if (line.name.empty()) throw ConfigError("it has no name before '='");
    const std::string_view value = trimmed(text.substr(equals + 1));
    line.quoted = !value.empty() && value[0] == '"';
    line.value = line.quoted ? quoted_value(value) : std::string(bare_value(value));
    return line;
}

// What a number has to be: a whole one of its type, or in the range.
template <class T>
std::string numbers(const Range& range) {
    if (std::is_same_v<T, double> && range.text().empty()) return "a number such as 3, 0.5 or 1e-3";
    const char* kind = std::is_same_v<T, double> ? "a number" : "a whole number";
    return range.text().empty()
               ? fmt::format("{} from {} to {}", kind, std::numeric_limits<T>::min(),
                             std::numeric_limits<T>::max())
               : fmt::format("{}, {}", kind, range.text());
}

template <class T>
void read_value(const std::string& text, T& value, const Range& range) {
    // "+5" is more than number_in() takes.
    const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
    const std::optional<T> number = number_in<T>(std::string_view(text).substr(plus ? 1 : 0));
    if (!number || !std::isfinite(double(*number)) || !range.has(double(*number)))
        throw ConfigError("it takes " + numbers<T>(range));
    value = *number;
}

void read_value(const std::string& text, std::string& value, const Range& range) {
    if (!range.words.empty() && !range.has(text)) throw ConfigError("it takes " + range.text());
    value = text;
}

void read_value(const std::string& text, bool& value, const Range& /*any*/) {
    value = read_switch(text);
}

template <class T>
Bound bound_value(T* value, const Range& range) {
    const auto assign = [value, range](const std::vector<std::string>& said) {
        read_value(said.back(), *value, range);
    };
    const auto values = [value] { return std::vector<std::string>{fmt::format("{}", *value)}; };
    const Takes takes = std::is_same_v<T, bool> ? Takes::nothing : Takes::value;
    return {{}, {}, range, Scope::none, takes, assign, values};
}

template <class T>
Bound bound_value(std::vector<T>* list, const Range& range) {
    const auto assign = [list, range](const std::vector<std::string>& said) {
        std::vector<T> read(said.size());
        for (std::size_t i = 0; i < said.size(); ++i) read_value(said[i], read[i], range);
        *list = std::move(read);
    };
    const auto values = [list] {
        std::vector<std::string> texts;
        for (const T& each : *list) texts.push_back(fmt::format("{}", each));
        return texts;
    };
    return {{}, {}, range, Scope::none, Takes::list, assign, values};
}

Bound bound_value(const Spelled& value, const Range& /*its words*/) {
    const Range range = one_of(value.words);
    const auto assign = [value, range](const std::vector<std::string>& said) {
        std::string word;
        read_value(said.back(), word, range);
        value.read(word);
    };
    const auto values = [value] { return std::vector<std::string>{value.text()}; };
    return {{}, {}, range, Scope::none, Takes::value, assign, values};
}

}  // namespace

std::vector<ConfigLine> read_config_lines(const std::string& text, const std::string& where) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    std::string_view rest = text;
    if (rest.substr(0, byte_order_mark.size()) == byte_order_mark)
        rest.remove_prefix(byte_order_mark.size());
    std::vector<ConfigLine> lines;
    for (int number = 1; !rest.empty(); ++number) {
        const auto end = rest.find('\n');
        const std::string_view line = trimmed(rest.substr(0, end));
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (line.empty() || line[0] == '#' || line[0] == ';') continue;
        try {
            lines.push_back(config_line(line));
        } catch (const ConfigError& error) {
            throw ConfigError(fmt::format("{} line {}: {}", where, number, line), error.problem(),
                              "write name = value, one option a line");
        }
        lines.back().line = number;
    }
    return lines;
}

std::string config_value(const std::string& value) {
    const bool plain = value == bare_value(value) && !value.empty() && value[0] != '"' &&
                       value.find('\n') == std::string::npos;
    if (plain) return value;
    std::string text = "\"";
    for (const char c : value) {
        const auto meaning = meanings.find(c);
        if (meaning != std::string_view::npos) text += '\\';
        text += meaning != std::string_view::npos ? escapes[meaning] : c;
    }
    return text + '"';
}

Bound bound_to(const OptionParser::Target& target, const Range& range) {
    return std::visit([&](const auto& value) { return bound_value(value, range); }, target);
}

bool read_switch(const std::string& text) {
    const auto is_one_of = [&](std::initializer_list<const char*> words) {
        return std::find(words.begin(), words.end(), text) != words.end();
    };
    const bool on = is_one_of({"true", "yes", "on", "1"});
    if (!on && !is_one_of({"false", "no", "off", "0"}))
        throw ConfigError("a switch is true or false");
    return on;
}

}  // namespace edgeloop::cli
