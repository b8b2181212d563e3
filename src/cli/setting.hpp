#pragma once

#include "edgeloop/cli/options.hpp"

#include <functional>
#include <string>
#include <vector>

namespace edgeloop::cli {

/// A line `name = value` of a config file.
struct ConfigLine {
    std::string name, value;
    bool quoted = false;  ///< so that an empty text differs from no value
    int line = 0;         ///< counted from 1
};

/// Reads a config file: a line is empty, a comment that begins with # or ;, or `name = value`.
/// Blanks around a value do not count, and a # after a blank begins a comment. A value in double
/// quotes is taken as it is; in it \" \\ \n \r \t stand for quote, backslash and control
/// characters.
///
/// @param where  the file, for errors.
/// @throws ConfigError  naming the line.
[[nodiscard]] std::vector<ConfigLine> read_config_lines(const std::string& text,
                                                        const std::string& where);

/// A value so that read_config_lines() gives it back: in quotes where it needs them.
[[nodiscard]] std::string config_value(const std::string& value);

enum class Takes { value, list, nothing };

/// A setting: what it takes, and how to and from its variable.
struct Bound {
    std::string name, help;
    Range range;
    Scope scope;
    Takes takes;
    /// @throws ConfigError  with the reason only.
    std::function<void(const std::vector<std::string>&)> assign;
    std::function<std::vector<std::string>()> values;  ///< one line of the config file each
};

/// How a setting reaches its variable; what else is said about it is left open.
[[nodiscard]] Bound bound_to(const OptionParser::Target& target, const Range& range);
/// @throws ConfigError  with the reason only.
[[nodiscard]] bool read_switch(const std::string& text);

}  // namespace edgeloop::cli
