#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/core/object_reader.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace edgeloop {

/// One member of a struct that JSON objects are read into: its key, its range, what it means. The
/// struct's list of these is the one description that reading, writing, range checks and the tables
/// of the README follow.
///
/// The member's initial value is the default. One that is outside its range (0 channels, an empty
/// list of at least one stage) is none: then the key must be given.
class Field {
  public:
    /// Elements of a list of structs that have fields themselves.
    struct Objects {
        std::function<std::size_t()> size;
        std::function<void(std::size_t)> resize;
        std::function<std::vector<Field>(std::size_t)> at;
    };
    struct Numbers {
        int* first;
        std::size_t count;
    };
    using Member = std::variant<int*, double*, Numbers, std::vector<int>*, std::string*, Objects>;

    Field(const char* key, int& to, Bounds values, const char* what)
        : name(key), meaning(what), range(values), member(&to) {}
    Field(const char* key, double& to, Bounds values, const char* what)
        : name(key), meaning(what), range(values), member(&to) {}
    /// Exactly n numbers.
    template <std::size_t n>
    Field(const char* key, std::array<int, n>& to, Bounds values, const char* what)
        : name(key), meaning(what), range(values), member(Numbers{to.data(), n}) {}
    Field(const char* key, std::vector<int>& to, Bounds sizes, Bounds values, const char* what)
        : name(key), meaning(what), range(values), length(sizes), member(&to) {}
    Field(const char* key, std::string& to, std::vector<std::string> values, const char* what)
        : name(key), meaning(what), choices(std::move(values)), member(&to) {}
    /// REQUIRES: an Element has fields().
    template <class Element>
    Field(const char* key, std::vector<Element>& to, Bounds sizes, const char* what)
        : name(key),
          meaning(what),
          length(sizes),
          member(Objects{[&to] { return to.size(); }, [&to](std::size_t size) { to.resize(size); },
                         [&to](std::size_t i) { return to[i].fields(); }}) {}

    /// One that older specs do not know: what they have is left out where it is written, so that
    /// they keep their text. Of a choice they have the first.
    [[nodiscard]] Field added_later() const;
    [[nodiscard]] Field added_later(Json value_of_older) const;

    /// @throws ConfigError  wrong type or out of range, with its place.
    void read(const Json& value, const Place& place) const;
    [[nodiscard]] Json write() const;
    [[nodiscard]] bool has_default() const;

    const char* name;
    const char* meaning;
    Bounds range{};                    ///< of a number, or of each number of a list
    Bounds length{};                   ///< of a list that may vary in length
    std::vector<std::string> choices;  ///< of a text
    Member member;
    Json older;  ///< see added_later(); null: they know it
};

/// Reads a JSON object into the struct the fields belong to.
/// @throws ConfigError  not an object, an unknown or missing key, or as Field::read; with its
/// place.
void read_fields(const std::vector<Field>& fields, const Json& object, const Place& place);
/// The object with every key but those that say what older specs have (added_later).
[[nodiscard]] Json write_fields(const std::vector<Field>& fields);

}  // namespace edgeloop
