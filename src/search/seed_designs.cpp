#include "edgeloop/search/seed_designs.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

// What the spec says about a variable; null when it has no such part, as with inactive genes.
Json value_in(const Json& spec, const Variable& variable) {
    for (const std::string& path : variable.paths)
        if (spec.contains(pointer_to(path))) return spec[pointer_to(path)];
    for (const std::string& path : variable.lengths)
        if (spec.contains(pointer_to(path))) return spec[pointer_to(path)].size();
    return {};
}

double gene_of(const Variable& variable, const Json& value, const std::string& where) {
    const auto outside = [&](const std::string& offer) {
        return ConfigError(fmt::format("{}: {} is {}", where, variable.name, value.dump()),
                           fmt::format("the search space offers {}", offer),
                           "change the design or the space");
    };
    if (variable.traits().has_choices) {
        const auto found = std::find(variable.choices.begin(), variable.choices.end(), value);
        if (found == variable.choices.end()) throw outside(Json(variable.choices).dump());
        return static_cast<double>(found - variable.choices.begin());
    }
    const std::string range = fmt::format("{} to {}", variable.lower, variable.upper);
    if (!value.is_number()) throw outside(range);
    const double number = value.get<double>();
    if (number < variable.lower || number > variable.upper) throw outside(range);
    return number;
}

}  // namespace

Genome genome_of(const SearchSpace& space, const ArchitectureSpec& spec, const std::string& where) {
    const Json json = spec.to_json();
    Genome genome;
    for (const Variable& variable : space.variables()) {
        const Json value = value_in(json, variable);
        genome.genes.push_back(value.is_null() ? variable.first()
                                               : gene_of(variable, value, where));
    }
    space.canonicalise(genome);
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
