#pragma once

#include "space/space_definition.hpp"

#include <vector>

namespace edgeloop {

/// Gives the genes of a recipe that have no effect in this design the value that stands for all, so
/// that equal trainings are equal designs:
///
/// - a step schedule that takes no step within the epochs, or steps by a factor of 1, is constant
///   if the schedule is a gene that may be; else its first step comes as early as a gene may put it
///   beyond the end, and the factor is the gene's first;
/// - without weight decay adam and adamw are the same: the gene's first.
///
/// Only values of genes change, and only to values that the gene offers. The other parts of a
/// recipe stay as the space file says them.
/// @param exists  SearchSpace::active() of the genome.
void settle_recipe(TrainingRecipe& recipe, const SpaceDefinition& space,
                   const std::vector<bool>& exists);

}  // namespace edgeloop
