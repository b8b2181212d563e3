#pragma once

#include "space/constraint_rule.hpp"

#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/space/search_space.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Holds when gene `variable` exists and has one of the allowed values.
struct Condition {
    std::size_t variable;
    std::vector<bool> allowed;  ///< by Variable::index_of()
};
using Conditions = std::vector<Condition>;  ///< all of them must hold

/// A patch of the template spec for designs under some conditions (RFC 7396 merge patch).
struct Case {
    Conditions when;
    Json set;
};

/// Where the values of one variable go.
struct Binding {
    std::vector<Json::json_pointer> paths;    ///< elements that take the value
    std::vector<Json::json_pointer> lengths;  ///< lists cut to this length
};

/// Everything a SearchSpace knows. Immutable once built.
struct SpaceDefinition {
    std::string name;
    bool is_box = false;
    bool settles_recipes = true;  ///< see recipe_genes.hpp; not in runs from before that
    std::vector<Variable> variables;
    std::vector<Binding> bindings;       // by variable
    std::vector<Conditions> conditions;  // by variable
    std::vector<std::size_t> order;      // parents before children
    Json base;                           // the spec before cases and genes
    std::vector<Case> cases;
    std::vector<ConstraintRule> rules;
    StaticLimits limits;
    Digest identity;

    [[nodiscard]] bool holds(const Conditions& conditions_of, const std::vector<double>& genes,
                             const std::vector<bool>& active) const;
    /// The spec of a canonical genome as JSON, not checked. Nothing when a gene's place does not
    /// exist in this design.
    [[nodiscard]] std::optional<Json> assemble(const Genome& genome,
                                               const std::vector<bool>& active) const;
    /// Number of distinct canonical genomes when only the variables of `counted` vary.
    /// @throws ConfigError  joint conditions of more than 10^5 combinations.
    [[nodiscard]] double count(const std::vector<bool>& counted) const;
};

/// Sorts parents before children.
///
/// @param place  of the list of variables.
/// @throws ConfigError  naming a variable whose condition depends on itself.
[[nodiscard]] std::vector<std::size_t> dependency_order(const std::vector<Variable>& variables,
                                                        const std::vector<Conditions>& conditions,
                                                        const Place& place);

}  // namespace edgeloop
