#pragma once

#include "edgeloop/cli/options.hpp"

#include <functional>
#include <string>
#include <vector>

namespace edgeloop::cli {

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
