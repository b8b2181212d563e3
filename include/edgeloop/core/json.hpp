#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace edgeloop {

/// JSON value with sorted keys, so that dump() of equal values gives equal text.
using Json = nlohmann::json;

// All JSON goes through these functions: what is nested without bound ends whoever walks through
// it.
/// Of what users and peers write, and of files in which programs keep such documents.
constexpr int deepest_json = 64, deepest_kept_json = 128;
/// Of a record that a program keeps in a folder.
constexpr std::uint64_t max_kept_json_bytes = 64 << 20;

/// Parses JSON text a user wrote.
///
/// @param where  named in the error, e.g. the file.
/// @param deepest  nesting that is accepted.
/// @throws ConfigError  naming line and column of the first mistake, a duplicate key or nesting
///                      that is deeper.
[[nodiscard]] Json parse_json(std::string_view text, const std::string& where,
                              int deepest = deepest_json);

/// Parses JSON that a program wrote for itself: several times as fast, without places in errors.
/// @throws Json::exception  it is malformed; CorruptState  nested deeper than deepest_kept_json.
[[nodiscard]] Json parse_kept_json(std::string_view text);

/// Reads and parses a JSON file. @throws ConfigError when it is missing, unreadable or malformed.
[[nodiscard]] Json read_json_file(const std::string& path, int deepest = deepest_json);

/// The same value with printable() keys and texts: JSON of somebody else, to be kept or shown.
/// @param value  as parse_json() gives it: its depth bounds the recursion.
[[nodiscard]] Json with_printable_texts(const Json& value);

/// Throws ConfigError if `object` is not an object or has a key that is not in `known`; names the
/// nearest known key.
void require_known_keys(const Json& object, const std::vector<std::string_view>& known,
                        const std::string& where);

}  // namespace edgeloop
