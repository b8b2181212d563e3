#include "training/memory_budget.hpp"

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

TEST(MemoryBudget, CountsWeightsGradientsOptimiserAndActivationsOfTheBatch) {
    ModelCounts counts;
    counts.weight_bytes = 1000;
    counts.training_activation_bytes = 50;
    TrainingRecipe recipe;
    recipe.batch = 3;
    EXPECT_EQ(training_bytes(counts, recipe), 4 * 1000 + 3 * 50);
    recipe.optimizer = "sgd";
    EXPECT_EQ(training_bytes(counts, recipe), 3 * 1000 + 3 * 50);
}

TEST(MemoryBudget, IsSharedByTheRanksOfAMachine) {
    EXPECT_GT(memory_share_bytes(1), 0);
    EXPECT_DOUBLE_EQ(memory_share_bytes(4), memory_share_bytes(1) / 4);
}

}  // namespace
}  // namespace edgeloop
