#include "training/optimization.hpp"

#include "edgeloop/core/error.hpp"

#include <gtest/gtest.h>

namespace edgeloop::optimization_test {
namespace {

TEST(LearningRate, StepsDownByGammaEveryPeriod) {
    TrainingRecipe recipe;
    recipe.learning_rate = 0.8;
    recipe.schedule = "step";
    recipe.step_epochs = 3;
    recipe.gamma = 0.5;
    EXPECT_DOUBLE_EQ(learning_rate(recipe, 0), 0.8);
    EXPECT_DOUBLE_EQ(learning_rate(recipe, 2), 0.8);
    EXPECT_DOUBLE_EQ(learning_rate(recipe, 3), 0.4);
    EXPECT_DOUBLE_EQ(learning_rate(recipe, 6), 0.2);
}

TEST(LearningRate, CosineFallsFromTheRateToZero) {
    TrainingRecipe recipe;
    recipe.learning_rate = 0.2;
    recipe.schedule = "cosine";
    recipe.epochs = 4;
    EXPECT_DOUBLE_EQ(learning_rate(recipe, 0), 0.2);
    EXPECT_NEAR(learning_rate(recipe, 2), 0.1, 1e-12);
    EXPECT_NEAR(learning_rate(recipe, 4), 0, 1e-12);
    EXPECT_NEAR(learning_rate(recipe, 9), 0, 1e-12);
}

TEST(LearningRate, OneCycleRisesAndFallsFromStepToStep) {
    TrainingRecipe recipe;
    recipe.learning_rate = 0.2;
    recipe.schedule = "one-cycle";
    recipe.epochs = 10;
    EXPECT_DOUBLE_EQ(learning_rate(recipe, 0), 0);
    EXPECT_NEAR(learning_rate(recipe, 1.5), 0.1, 1e-12);
    EXPECT_NEAR(learning_rate(recipe, 3), 0.2, 1e-12);
    EXPECT_NEAR(learning_rate(recipe, 6.5), 0.1, 1e-12);
    EXPECT_NEAR(learning_rate(recipe, 10), 0, 1e-12);
    EXPECT_NEAR(learning_rate(recipe, 12), 0, 1e-12) << "it does not rise again";
}

TEST(LearningRate, OtherSchedulesChangeBetweenEpochsOnly) {
    TrainingRecipe recipe;
    for (const char* schedule : {"step", "cosine", "constant"}) {
        recipe.schedule = schedule;
        recipe.step_epochs = 1;
        EXPECT_EQ(learning_rate(recipe, 1.99), learning_rate(recipe, 1)) << schedule;
    }
}

TEST(LearningRate, ConstantStaysAndUnknownIsRefused) {
    TrainingRecipe recipe;
    recipe.schedule = "constant";
    EXPECT_EQ(learning_rate(recipe, 99), recipe.learning_rate);
    recipe.schedule = "warm";
    EXPECT_THROW((void)learning_rate(recipe, 0), ConfigError);
}

/// One step with gradient 1 on a weight of 1: how far it moved.
double first_move(TrainingRecipe recipe) {
    torch::Tensor weight = torch::ones({1}, torch::requires_grad());
    auto optimizer = make_optimizer(recipe, {weight});
    set_learning_rate(*optimizer, 0.1);
    weight.mutable_grad() = torch::ones({1});
    optimizer->step();
    return 1 - weight.item<double>();
}

TEST(Optimizer, EachOneMovesAsItsRuleSays) {
    TrainingRecipe recipe;
    recipe.optimizer = "sgd";
    EXPECT_NEAR(first_move(recipe), 0.1, 1e-6);
    recipe.weight_decay = 0.5;
    EXPECT_NEAR(first_move(recipe), 0.15, 1e-6);
    recipe.optimizer = "adamw";  // decoupled: 0.1 of Adam, 0.1 * 0.5 of the decay
    EXPECT_NEAR(first_move(recipe), 0.15, 1e-6);
    recipe.optimizer = "adam";
    EXPECT_NEAR(first_move(recipe), 0.1, 1e-6);
    recipe.optimizer = "lion";
    EXPECT_THROW((void)first_move(recipe), ConfigError);
}

}  // namespace
}  // namespace edgeloop::optimization_test
