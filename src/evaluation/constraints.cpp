#include "edgeloop/evaluation/constraints.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

#include <fmt/format.h>

namespace edgeloop {

Constraint parse_constraint(const std::string& text) {
    static const std::regex grammar(
        R"(\s*([A-Za-z_][A-Za-z0-9_]*(?:@[A-Za-z0-9][A-Za-z0-9._+/-]*)?)\s*(<=|>=)\s*([-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)\s*)");
    constexpr std::size_t max_text = 200;
    std::smatch parts;
    if (text.size() > max_text || !std::regex_match(text, parts, grammar))
        throw ConfigError(fmt::format("'{:.{}}' is not a constraint", text, max_text), {},
                          "write a metric, <= or >=, and a number, e.g. latency_ms<=0.8");
    const double bound = std::strtod(parts[3].str().c_str(), nullptr);
    if (!std::isfinite(bound))
        throw ConfigError(fmt::format("constraint '{}': the bound is too large", text));
    return {parts[1], parts[2] == "<=" ? Relation::at_most : Relation::at_least, bound};
}

std::string to_string(const Constraint& constraint) {
    return fmt::format("{}{}{}", constraint.metric,
                       constraint.relation == Relation::at_most ? "<=" : ">=", constraint.bound);
}

double violation(const Constraint& constraint, double value) {
    if (std::isnan(value)) return std::numeric_limits<double>::infinity();
    const double excess = constraint.relation == Relation::at_most ? value - constraint.bound
                                                                   : constraint.bound - value;
    const double scale = constraint.bound == 0 ? 1 : std::abs(constraint.bound);
    return std::max(0.0, excess / scale);
}

}  // namespace edgeloop
