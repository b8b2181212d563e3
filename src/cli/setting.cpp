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
