#include "memory_budget.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include <unistd.h>

namespace edgeloop {
namespace {

/// Limit of the control group this process is in, or infinity.
double control_group_bytes() {
    for (const char* path :
         {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        double bytes = 0;
        if (std::ifstream(path) >> bytes && bytes > 0) return bytes;
    }
    return std::numeric_limits<double>::infinity();
}

/// Values an optimiser keeps for each parameter.
int optimizer_values(const TrainingRecipe& recipe) { return recipe.optimizer == "sgd" ? 1 : 2; }

}  // namespace

double training_bytes(const ModelCounts& counts, const TrainingRecipe& recipe) {
    const double copies = 2 + optimizer_values(recipe);  // weights, gradients
    return copies * double(counts.weight_bytes) +
           double(recipe.batch) * double(counts.training_activation_bytes);
}

double memory_share_bytes(int ranks) {
    const double physical = double(::sysconf(_SC_PHYS_PAGES)) * double(::sysconf(_SC_PAGESIZE));
    return 0.9 * std::min(physical, control_group_bytes()) / std::max(1, ranks);
}

}  // namespace edgeloop
