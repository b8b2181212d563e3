#include "edgeloop/space/search_space.hpp"

#include "space/recipe_genes.hpp"
#include "space/space_definition.hpp"
#include "space/space_file.hpp"

#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// What a name in a constraint stands for: the value of an existing variable, or else of the spec.
ConstraintRule::Lookup lookup_in(const SpaceDefinition& space, const Genome& genome,
                                 const std::vector<bool>& active, const Json& spec) {
    return [&](const std::string& name) -> std::optional<double> {
        for (std::size_t i = 0; i < space.variables.size(); ++i) {
            if (space.variables[i].name != name) continue;
            if (!active[i]) return std::nullopt;
            const Json value = space.variables[i].value_of(genome.genes[i]);
            return value.is_number() ? std::optional<double>(value.get<double>()) : std::nullopt;
        }
        const Json::json_pointer path = pointer_to(name);
        if (!spec.contains(path) || !spec[path].is_number()) return std::nullopt;
        return spec[path].get<double>();
    };
}

std::string text_of(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
    return value.dump();
}

/// A space of these genes alone, without conditions and without a spec that takes their values.
///
/// @param content  that tells the space from others.
SpaceDefinition box_of(const std::string& name, std::vector<Variable> variables,
                       const std::string& content) {
    SpaceDefinition space;
    space.name = name;
    space.is_box = true;
    for (const Variable& variable : variables)
        EDGELOOP_EXPECT(variable.first() <= variable.last(), "bounds must be in order");
    space.bindings.resize(variables.size());
    space.conditions.resize(variables.size());
    space.order.resize(variables.size());
    std::iota(space.order.begin(), space.order.end(), std::size_t{0});
    space.variables = std::move(variables);
    space.identity = digest(content);
    return space;
}

}  // namespace

SearchSpace::SearchSpace(std::shared_ptr<const SpaceDefinition> definition)
    : definition_(std::move(definition)) {}

SearchSpace SearchSpace::from_file(const std::string& path_or_name, const Json& base,
                                   const Json& of_data) {
    const TextFile file = read_shipped_or_file(path_or_name, "space", shipped_spaces());
    Json json = parse_json(file.text, file.name);
    if (!base.empty() && json.is_object()) json["base"].merge_patch(base);
    const Digest identity = digest(json.dump());
    if (!of_data.empty() && json.is_object()) json["base"].merge_patch(of_data);
    SpaceDefinition space = parse_space(json, Place(file.name, file.text));
    space.identity = identity;
    return SearchSpace(std::make_shared<const SpaceDefinition>(std::move(space)));
}

SearchSpace SearchSpace::from_json(const Json& json, const std::string& where) {
    return SearchSpace(std::make_shared<const SpaceDefinition>(parse_space(json, Place(where))));
}

SearchSpace SearchSpace::box(const std::vector<double>& lower, const std::vector<double>& upper) {
    EDGELOOP_EXPECT(lower.size() == upper.size() && !lower.empty(), "a box needs pairs of bounds");
    std::vector<Variable> variables;
    std::string text = "box";
    for (std::size_t i = 0; i < lower.size(); ++i) {
        Variable variable;
        variable.name = fmt::format("x{}", i + 1);
        variable.kind = GeneKind::real;
        variable.lower = lower[i];
        variable.upper = upper[i];
        variables.push_back(variable);
        text += fmt::format(" {} {}", lower[i], upper[i]);
    }
    return SearchSpace(
        std::make_shared<const SpaceDefinition>(box_of("box", std::move(variables), text)));
}

SearchSpace SearchSpace::of_genes(const std::string& name, std::vector<Variable> variables) {
    EDGELOOP_EXPECT(!variables.empty(), "a space needs a gene");
    Json content = Json::array();
    for (const Variable& variable : variables) {
        content.push_back({variable.name, variable.traits().name});
        if (variable.traits().has_choices)
            content.back().push_back(variable.choices);
        else
            content.back().insert(content.back().end(), {variable.lower, variable.upper});
    }
    return SearchSpace(std::make_shared<const SpaceDefinition>(
        box_of(name, std::move(variables), "genes " + content.dump())));
}

SearchSpace SearchSpace::with_idle_genes() const {
    SpaceDefinition space = *definition_;
    space.settles_recipes = false;
    return SearchSpace(std::make_shared<const SpaceDefinition>(std::move(space)));
}

bool SearchSpace::has_idle_genes() const { return !definition_->settles_recipes; }

const std::string& SearchSpace::name() const { return definition_->name; }

const std::vector<Variable>& SearchSpace::variables() const { return definition_->variables; }

double SearchSpace::size() const {
    return definition_->count(std::vector<bool>(variables().size(), true));
}

double SearchSpace::network_count() const {
    std::vector<bool> counted;
    for (const Variable& variable : variables())
        counted.push_back(
            std::none_of(variable.paths.begin(), variable.paths.end(),
                         [](const std::string& path) { return path.rfind("training.", 0) == 0; }));
    return definition_->count(counted);
}

bool SearchSpace::has_low_bits() const {
    const std::vector<Case>& cases = definition_->cases;
    return definition_->base.contains("quantisation") ||
           std::any_of(cases.begin(), cases.end(),
                       [](const Case& variant) { return variant.set.contains("quantisation"); });
}

std::vector<bool> SearchSpace::active(const Genome& genome) const {
    EDGELOOP_EXPECT(genome.genes.size() == variables().size(),
                    "this genome belongs to another space");
    std::vector<bool> exists(genome.genes.size());
    for (const std::size_t i : definition_->order)
        exists[i] = definition_->holds(definition_->conditions[i], genome.genes, exists);
    return exists;
}

void SearchSpace::canonicalise(Genome& genome) const {
    EDGELOOP_EXPECT(genome.genes.size() == variables().size(),
                    "this genome belongs to another space");
    for (std::size_t i = 0; i < genome.genes.size(); ++i)
        genome.genes[i] = variables()[i].legal(genome.genes[i]);
    const std::vector<bool> exists = active(genome);
    for (std::size_t i = 0; i < genome.genes.size(); ++i)
        if (!exists[i]) genome.genes[i] = variables()[i].first();
}

Genome SearchSpace::sample(RandomStream& random) const {
    Genome genome;
    for (const Variable& variable : variables()) genome.genes.push_back(variable.sample(random));
    canonicalise(genome);
    return genome;
}

SearchSpace::Decoded SearchSpace::try_decode(const Genome& genome) const {
    if (definition_->is_box) return {};
    const std::vector<bool> exists = active(genome);
    const std::optional<Json> json = definition_->assemble(genome, exists);
    if (!json) return {nullptr, "a gene has no place in the template of this design"};
    const auto lookup = lookup_in(*definition_, genome, exists, *json);
    for (const ConstraintRule& rule : definition_->rules)
        if (!rule.holds(lookup)) return {nullptr, "breaks the rule " + rule.text()};
    try {
        ArchitectureSpec spec = ArchitectureSpec::from_json(*json, name());
        if (definition_->settles_recipes) settle_recipe(spec.training, *definition_, exists);
        DesignPtr design = Design::of(std::move(spec));
        if (const auto problem = static_problem(*design, definition_->limits))
            return {nullptr, *problem};
        return {std::move(design), {}};
    } catch (const ConfigError& error) {
        return {nullptr, error.what()};
    }
}

std::optional<std::string> SearchSpace::infeasibility(const Genome& genome) const {
    std::string problem = try_decode(genome).problem;
    return problem.empty() ? std::nullopt : std::optional<std::string>(std::move(problem));
}

ArchitectureSpec SearchSpace::decode(const Genome& genome) const {
    EDGELOOP_EXPECT(!definition_->is_box, "a box has no designs to decode");
    const Decoded decoded = try_decode(genome);
    if (!decoded.design) throw LogicError("an infeasible design can't be decoded", decoded.problem);
    return decoded.design->spec();
}

Digest SearchSpace::identity(const Genome& genome) const {
    Genome canonical = genome;
    canonicalise(canonical);
    if (const Decoded decoded = try_decode(canonical); decoded.design)
        return decoded.design->identity();
    // Points of a box and designs that can't be built are told apart by their genes.
    std::string text = definition_->identity.hex();
    for (const double gene : canonical.genes) text += fmt::format(" {}", gene);
    return digest(text);
}

std::vector<std::string> SearchSpace::describe(const Genome& genome) const {
    const std::vector<bool> exists = active(genome);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < genome.genes.size(); ++i)
        texts.push_back(exists[i] ? text_of(variables()[i].value_of(genome.genes[i])) : "");
    return texts;
}

Digest SearchSpace::identity() const { return definition_->identity; }

}  // namespace edgeloop
