#pragma once

#include "edgeloop/core/json.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Where a value starts in its text, both from 1.
struct TextPosition {
    std::size_t line = 1, column = 1;
};

/// Where a JSON value stands in its document, to be named in errors:
/// "cnn3d.json, line 12, column 20: variables[3].choices".
class Place {
  public:
    /// The root of a document of which only the values are at hand: errors name no
    /// lines.
    explicit Place(std::string document) : document_(std::move(document)) {}
    /// The root of a document with its text. REQUIRES: valid JSON.
    Place(std::string document, std::string_view json_text);

    [[nodiscard]] Place operator/(const std::string& key) const;
    [[nodiscard]] Place operator/(std::size_t index) const;
    [[nodiscard]] std::string text() const;

  private:
    std::string document_;
    std::string pointer_;   ///< JSON pointer, e.g. /variables/3
    std::string readable_;  ///< e.g. variables[3]
    std::shared_ptr<const std::map<std::string, TextPosition>> positions_;  ///< by pointer
};

/// Inclusive bounds of a number.
struct Bounds {
    double low, high;
};

/// Reads the members of one JSON object; every mistake is a ConfigError that names its place.
///
/// The getters with a fallback return it when the key is absent; those without insist on the key.
class ObjectReader {
  public:
    /// @throws ConfigError  not an object, or a key that is not in `known`.
    ObjectReader(const Json& object, Place place, const std::vector<std::string_view>& known);

    [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }
    /// The member itself. @throws ConfigError when absent.
    [[nodiscard]] const Json& member(const char* key) const;
    [[nodiscard]] Place place(const char* key) const { return place_ / key; }

    [[nodiscard]] int integer(const char* key, Bounds bounds) const;
    [[nodiscard]] double number(const char* key, Bounds bounds) const;
    [[nodiscard]] double number(const char* key, Bounds bounds, double fallback) const;
    [[nodiscard]] std::string text(const char* key) const;
    [[nodiscard]] std::string text(const char* key, std::string fallback) const;
    /// A list whose length is inside the bounds.
    [[nodiscard]] const Json& list(const char* key, Bounds length) const;

  private:
    const Json& object_;
    Place place_;
};

/// Conversions behind ObjectReader, for values that are not members of an object.
[[nodiscard]] int integer_from(const Json& value, Bounds bounds, const Place& place);
[[nodiscard]] double number_from(const Json& value, Bounds bounds, const Place& place);
[[nodiscard]] std::string text_from(const Json& value, const Place& place);
/// A list whose length is inside the bounds.
[[nodiscard]] const Json& list_from(const Json& value, Bounds length, const Place& place);

}  // namespace edgeloop
