#include "space/recipe_genes.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

namespace edgeloop {
namespace {

/// The gene that sets this place and nothing else, or null.
const Variable* gene_at(const std::string& path, const SpaceDefinition& space,
                        const std::vector<bool>& exists) {
    for (std::size_t i = 0; i < space.variables.size(); ++i) {
        const Variable& variable = space.variables[i];
        if (exists[i] && variable.lengths.empty() &&
            variable.paths == std::vector<std::string>{path})
            return &variable;
    }
    return nullptr;
}

bool offers(const Variable& variable, const Json& value) {
    return std::find(variable.choices.begin(), variable.choices.end(), value) !=
           variable.choices.end();
}

/// The smallest number of the gene that is at least this.
std::optional<double> smallest_from(const Variable& variable, double least) {
    std::optional<double> smallest;
    const auto consider = [&](double value) {
        if (value >= least && (!smallest || value < *smallest)) smallest = value;
    };
    if (variable.traits().has_choices) {
        for (const Json& choice : variable.choices)
            if (choice.is_number()) consider(choice.get<double>());
    } else if (variable.upper >= least) {
        consider(std::max(std::ceil(least), variable.lower));
    }
    return smallest;
}

void settle_schedule(TrainingRecipe& recipe, const SpaceDefinition& space,
                     const std::vector<bool>& exists) {
    if (recipe.schedule != "step") return;
    if (recipe.step_epochs < recipe.epochs && recipe.gamma != 1) return;
    const Variable* const schedule = gene_at("training.schedule", space, exists);
    if (schedule != nullptr && offers(*schedule, "constant")) {
        const TrainingRecipe defaults;
        recipe.schedule = "constant";
        recipe.step_epochs = defaults.step_epochs;
        recipe.gamma = defaults.gamma;
        return;
    }
    const Variable* const step = gene_at("training.step_epochs", space, exists);
    const Variable* const gamma = gene_at("training.gamma", space, exists);
    if (step != nullptr) {
        const auto beyond = smallest_from(*step, recipe.epochs);
        // With a factor of 1 and no step beyond the end: the factor stays, the step is the first.
        const auto value = beyond ? beyond : smallest_from(*step, 0);
        if (value) recipe.step_epochs = static_cast<int>(*value);
    }
    if (gamma != nullptr && recipe.step_epochs >= recipe.epochs)
        recipe.gamma = gamma->value_of(gamma->first()).get<double>();
}

void settle_optimizer(TrainingRecipe& recipe, const SpaceDefinition& space,
                      const std::vector<bool>& exists) {
    const auto is_adam = [](const Json& name) { return name == "adam" || name == "adamw"; };
    if (recipe.weight_decay != 0 || !is_adam(recipe.optimizer)) return;
    const Variable* const optimizer = gene_at("training.optimizer", space, exists);
    if (optimizer == nullptr) return;
    const auto first = std::find_if(optimizer->choices.begin(), optimizer->choices.end(), is_adam);
    if (first != optimizer->choices.end()) recipe.optimizer = first->get<std::string>();
}

}  // namespace

void settle_recipe(TrainingRecipe& recipe, const SpaceDefinition& space,
                   const std::vector<bool>& exists) {
    settle_schedule(recipe, space, exists);
    settle_optimizer(recipe, space, exists);
}

}  // namespace edgeloop
