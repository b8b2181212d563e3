#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace edgeloop {

/// JSON value with sorted keys, so that dump() of equal values gives equal text.
using Json = nlohmann::json;

/// Parses JSON text a user wrote.
///
/// @param where  named in the error, e.g. the file.
/// @throws ConfigError  naming line and column of the first mistake, a duplicate key or nesting
///                      deeper than 64.
[[nodiscard]] Json parse_json(std::string_view text, const std::string& where);

/// Reads and parses a JSON file. @throws ConfigError when it is missing, unreadable or malformed.
[[nodiscard]] Json read_json_file(const std::string& path);

/// The same value with printable() keys and texts: JSON of somebody else, to be kept or shown.
/// @param value  as parse_json() gives it: its depth bounds the recursion.
[[nodiscard]] Json with_printable_texts(const Json& value);

/// Throws ConfigError if `object` is not an object or has a key that is not in `known`; names the
/// nearest known key.
void require_known_keys(const Json& object, const std::vector<std::string_view>& known,
                        const std::string& where);

}  // namespace edgeloop
