#include "edgeloop/search/seed_designs.hpp"

#include "edgeloop/architecture/field.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

// What the spec says about a variable; null when it has no such part, as with inactive genes, or
// one that says nothing: a schedule without steps has only the defaults for them.
Json value_in(const Json& spec, const Variable& variable) {
    const Json::json_pointer schedule("/training/schedule");
    for (const char* of_steps : {"training.step_epochs", "training.gamma"})
        if (variable.paths == std::vector<std::string>{of_steps} && spec.at(schedule) != "step")
            return {};
    for (const std::string& path : variable.paths)
        if (spec.contains(pointer_to(path))) return spec[pointer_to(path)];
    for (const std::string& path : variable.lengths)
        if (spec.contains(pointer_to(path))) return spec[pointer_to(path)].size();
    return {};
}

// Nothing when the variable does not offer the value.
std::optional<double> gene_of(const Variable& variable, const Json& value) {
    if (variable.traits().has_choices) {
        const auto found = std::find(variable.choices.begin(), variable.choices.end(), value);
        if (found == variable.choices.end()) return std::nullopt;
        return static_cast<double>(found - variable.choices.begin());
    }
    if (!value.is_number()) return std::nullopt;
    const double number = value.get<double>();
    if (number < variable.lower || number > variable.upper) return std::nullopt;
    return number;
}

ConfigError not_offered(const Variable& variable, const Json& value, const std::string& where) {
    const std::string offer = variable.traits().has_choices
                                  ? Json(variable.choices).dump()
                                  : fmt::format("{} to {}", variable.lower, variable.upper);
    return ConfigError(fmt::format("{}: {} is {}", where, variable.name, value.dump()),
                       fmt::format("the search space offers {}", offer),
                       "change the design or the space");
}

}  // namespace

Genome genome_of(const SearchSpace& space, const ArchitectureSpec& spec, const std::string& where) {
    Json json = spec.to_json();
    ClipShape clip = spec.clip;
    json["clip"] = write_fields(clip.fields());  // with what the text leaves out
    const std::vector<Variable>& variables = space.variables();
    Genome genome;
    std::vector<bool> is_offered;
    for (const Variable& variable : variables) {
        const Json value = value_in(json, variable);
        const auto gene =
            value.is_null() ? std::optional(variable.first()) : gene_of(variable, value);
        genome.genes.push_back(gene.value_or(variable.first()));
        is_offered.push_back(gene.has_value());
    }
    space.canonicalise(genome);
    // Families share keys: what another family's variable does not offer is no matter.
    const std::vector<bool> exists = space.active(genome);
    for (std::size_t i = 0; i < variables.size(); ++i)
        if (exists[i] && !is_offered[i])
            throw not_offered(variables[i], value_in(json, variables[i]), where);
    if (auto why = space.infeasibility(genome))
        throw ConfigError(fmt::format("{}: the design is not allowed in the search space", where),
                          *why, "change the design or the space");
    if (space.decode(genome).network_identity() != spec.network_identity())
        throw ConfigError(
            fmt::format("{}: the design is not in the search space", where),
            fmt::format("with the same genes the space has {}", space.decode(genome).canonical()),
            "change the design or the fixed part of the space");
    return genome;
}

}  // namespace edgeloop
