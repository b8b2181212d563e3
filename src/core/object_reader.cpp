#include "edgeloop/core/object_reader.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Walks valid JSON text and notes where each value starts.
class PositionScanner {
  public:
    explicit PositionScanner(std::string_view text) : text_(text) {}

    auto scan() {
        value("");
        return std::make_shared<const decltype(positions_)>(std::move(positions_));
    }

  private:
    char peek() {
        while (at_ < text_.size() &&
               std::string_view(" \t\r\n,:").find(text_[at_]) != std::string_view::npos)
            if (text_[at_++] == '\n') {
                ++line_;
                line_start_ = at_;
            }
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    /// The content of the string literal at hand, escapes left as they are.
    std::string_view literal() {
        const std::size_t begin = ++at_;
        while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
        return text_.substr(begin, at_++ - begin);
    }

    void value(const std::string& pointer) {
        const char first = peek();
        positions_[pointer] = {line_, at_ - line_start_ + 1};
        if (first == '"') {
            literal();
        } else if (first == '{' || first == '[') {
            ++at_;
            for (std::size_t index = 0; peek() != '}' && text_[at_] != ']'; ++index)
                value(pointer + '/' +
                      (first == '{' ? std::string(literal()) : std::to_string(index)));
            ++at_;
        } else {
            at_ = std::min(text_.find_first_of(" \t\r\n,]}", at_), text_.size());
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1, line_start_ = 0;
    std::map<std::string, TextPosition> positions_;
};

[[noreturn]] void reject(const Place& place, const std::string& problem) {
    throw ConfigError(place.text() + ": " + problem);
}

void require_between(double value, Bounds bounds, const Place& place, const char* what) {
    if (value >= bounds.low && value <= bounds.high) return;
    reject(place, fmt::format("{} {} is outside {} to {}", what, value, bounds.low, bounds.high));
}

}  // namespace

Place::Place(std::string document, std::string_view json_text)
    : document_(std::move(document)), positions_(PositionScanner(json_text).scan()) {}

Place Place::operator/(const std::string& key) const {
    Place child = *this;
    child.pointer_ += '/' + key;
    child.readable_ += (readable_.empty() ? "" : ".") + key;
    return child;
}

Place Place::operator/(std::size_t index) const {
    Place child = *this;
    child.pointer_ += '/' + std::to_string(index);
    child.readable_ += '[' + std::to_string(index) + ']';
    return child;
}

std::string Place::text() const {
    std::string text = document_;
    if (positions_)
        if (const auto at = positions_->find(pointer_); at != positions_->end())
            text += fmt::format(", line {}, column {}", at->second.line, at->second.column);
    if (!readable_.empty()) text += ": " + readable_;
    return text;
}

ObjectReader::ObjectReader(const Json& object, Place place,
                           const std::vector<std::string_view>& known)
    : object_(object), place_(std::move(place)) {
    const auto is_unknown = [&](const std::string& key) {
        return std::find(known.begin(), known.end(), key) == known.end();
    };
    if (object.is_object())
        for (const auto& item : object.items())
            if (is_unknown(item.key()))
                require_known_keys(object, known, (place_ / item.key()).text());
    require_known_keys(object, known, place_.text());
}

const Json& ObjectReader::member(const char* key) const {
    if (!has(key)) reject(place_, fmt::format("'{}' is missing", key));
    return object_.at(key);
}

int ObjectReader::integer(const char* key, Bounds bounds) const {
    return integer_from(member(key), bounds, place(key));
}

double ObjectReader::number(const char* key, Bounds bounds) const {
    return number_from(member(key), bounds, place(key));
}

double ObjectReader::number(const char* key, Bounds bounds, double fallback) const {
    return has(key) ? number(key, bounds) : fallback;
}

std::string ObjectReader::text(const char* key) const { return text_from(member(key), place(key)); }

std::string ObjectReader::text(const char* key, std::string fallback) const {
    return has(key) ? text(key) : std::move(fallback);
}

const Json& ObjectReader::list(const char* key, Bounds length) const {
    return list_from(member(key), length, place(key));
}

int integer_from(const Json& value, Bounds bounds, const Place& place) {
    if (!value.is_number())
        reject(place, fmt::format("expected an integer, found {}", value.type_name()));
    const double number = value.get<double>();
    require_between(number, bounds, place, "value");
    if (number != std::floor(number))
        reject(place, fmt::format("expected an integer, found {}", number));
    return static_cast<int>(number);
}

double number_from(const Json& value, Bounds bounds, const Place& place) {
    if (!value.is_number())
        reject(place, fmt::format("expected a number, found {}", value.type_name()));
    const double number = value.get<double>();
    require_between(number, bounds, place, "value");
    return number;
}

std::string text_from(const Json& value, const Place& place) {
    if (!value.is_string())
        reject(place, fmt::format("expected text, found {}", value.type_name()));
    return value.get<std::string>();
}

const Json& list_from(const Json& value, Bounds length, const Place& place) {
    if (!value.is_array())
        reject(place, fmt::format("expected a list, found {}", value.type_name()));
    require_between(static_cast<double>(value.size()), length, place, "length");
    return value;
}

}  // namespace edgeloop
