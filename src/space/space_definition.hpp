#pragma once

#include "space/constraint_rule.hpp"

#include "edgeloop/space/search_space.hpp"

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Holds when gene `variable` exists and has one of the allowed values.
struct Condition {
    std::size_t variable;
    std::vector<bool> allowed;  ///< by value_index()
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
    std::vector<Variable> variables;
    std::vector<Binding> bindings;       // by variable
    std::vector<Conditions> conditions;  // by variable
    std::vector<std::size_t> order;      // parents before children
    Json base;                           // the spec before cases and genes
    std::vector<Case> cases;
    std::vector<ConstraintRule> rules;
    double most_parameters = std::numeric_limits<double>::infinity();
    double most_training_memory_mib = std::numeric_limits<double>::infinity();
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

/// Number of values of a categorical, ordinal or integer variable; infinity for the others.
[[nodiscard]] double cardinality(const Variable& variable);
/// Position of a gene among its variable's values. REQUIRES: categorical, ordinal or integer.
[[nodiscard]] std::size_t value_index(const Variable& variable, double gene);
/// What a gene stands for, as it appears in specs.
[[nodiscard]] Json value_of(const Variable& variable, double gene);
/// The gene of inactive variables: the first choice, or the lower bound.
[[nodiscard]] double canonical_gene(const Variable& variable);

/// Sorts parents before children.
///
/// @param place  of the list of variables.
/// @throws ConfigError  naming a variable whose condition depends on itself.
[[nodiscard]] std::vector<std::size_t> dependency_order(const std::vector<Variable>& variables,
                                                        const std::vector<Conditions>& conditions,
                                                        const Place& place);

}  // namespace edgeloop
