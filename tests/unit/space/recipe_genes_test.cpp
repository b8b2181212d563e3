#include "edgeloop/core/json.hpp"
#include "edgeloop/space/search_space.hpp"

#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace edgeloop::recipe_genes_test {
namespace {

SearchSpace with_recipe(const Json& recipe, const Json& variables) {
    Json training = {{"epochs", 15}, {"batch", 4}};
    training.merge_patch(recipe);
    const Json architecture = {{"stages", {{{"channels", 4}}}}};
    return SearchSpace::from_json({{"version", 1},
                                   {"name", "recipes"},
                                   {"base",
                                    {{"family", "cnn3d"},
                                     {"architecture", architecture},
                                     {"clip", {{"frames", 8}, {"side", 16}}},
                                     {"training", training}}},
                                   {"variables", variables}},
                                  "recipes");
}

const Json schedules = {{"name", "training.schedule"},
                        {"kind", "categorical"},
                        {"choices", {"cosine", "step", "constant"}}};
const Json steps = {
    {"name", "training.step_epochs"}, {"kind", "ordinal"}, {"choices", {5, 20, 15, 40}}};
const Json gammas = {{"name", "training.gamma"}, {"kind", "real"}, {"lower", 0.2}, {"upper", 1}};
const Json optimizers = {
    {"name", "training.optimizer"}, {"kind", "categorical"}, {"choices", {"sgd", "adamw", "adam"}}};
const Json decays = {
    {"name", "training.weight_decay"}, {"kind", "ordinal"}, {"choices", {0, 0.01}}};

TrainingRecipe recipe(const SearchSpace& space, std::vector<double> genes) {
    return space.decode({std::move(genes)}).training;
}

TEST(RecipeGenes, AStepBeyondTheEndIsOneDesignWhateverItsLengthAndFactor) {
    const SearchSpace space = with_recipe({{"schedule", "step"}}, {steps, gammas});
    for (const double step : {1.0, 2.0, 3.0}) {
        EXPECT_EQ(recipe(space, {step, 0.7}).step_epochs, 15);
        EXPECT_EQ(recipe(space, {step, 0.7}).gamma, 0.2);
        EXPECT_EQ(space.identity({{step, 0.7}}), space.identity({{2, 0.3}}));
    }
    EXPECT_EQ(recipe(space, {0, 0.7}).step_epochs, 5);
    EXPECT_EQ(recipe(space, {0, 0.7}).gamma, 0.7);
    EXPECT_NE(space.identity({{0, 0.7}}), space.identity({{0, 0.6}}));
}

TEST(RecipeGenes, AFactorOfOneIsNoStepEither) {
    const SearchSpace space = with_recipe({{"schedule", "step"}}, {steps, gammas});
    EXPECT_EQ(space.identity({{0, 1}}), space.identity({{3, 0.4}}));
    // Without a step beyond the end the factor says it, and the steps do not matter.
    const Json short_steps = {
        {"name", "training.step_epochs"}, {"kind", "integer"}, {"lower", 2}, {"upper", 9}};
    const SearchSpace always = with_recipe({{"schedule", "step"}}, {short_steps, gammas});
    EXPECT_EQ(always.identity({{3, 1}}), always.identity({{9, 1}}));
    EXPECT_NE(always.identity({{3, 0.9}}), always.identity({{9, 0.9}}));
}

TEST(RecipeGenes, AStepScheduleThatDoesNotStepIsConstantWhereItMayBe) {
    const SearchSpace space = with_recipe(Json::object(), {schedules, steps, gammas});
    EXPECT_EQ(recipe(space, {1, 3, 0.5}).schedule, "constant");
    EXPECT_EQ(space.identity({{1, 3, 0.5}}), space.identity({{2, 0, 0.9}}));
    EXPECT_EQ(space.identity({{0, 3, 0.5}}), space.identity({{0, 0, 0.9}}));  // cosine
    EXPECT_NE(space.identity({{0, 3, 0.5}}), space.identity({{2, 3, 0.5}}));
    EXPECT_EQ(recipe(space, {1, 0, 0.5}).schedule, "step");
}

TEST(RecipeGenes, TheEpochsThatAreTrainedCount) {
    Json length = {{"name", "training.epochs"}, {"kind", "ordinal"}, {"choices", {2, 30}}};
    const SearchSpace space = with_recipe({{"schedule", "step"}}, {length, steps, gammas});
    EXPECT_EQ(space.identity({{0, 0, 0.5}}), space.identity({{0, 1, 0.6}}));
    EXPECT_NE(space.identity({{1, 0, 0.5}}), space.identity({{1, 1, 0.6}}));
}

TEST(RecipeGenes, AdamAndAdamwDifferOnlyByTheDecay) {
    const SearchSpace space = with_recipe({{"schedule", "constant"}}, {optimizers, decays});
    EXPECT_EQ(space.identity({{1, 0}}), space.identity({{2, 0}}));
    EXPECT_EQ(recipe(space, {2, 0}).optimizer, "adamw");
    EXPECT_NE(space.identity({{1, 1}}), space.identity({{2, 1}}));
    EXPECT_NE(space.identity({{0, 0}}), space.identity({{1, 0}}));
}

TEST(RecipeGenes, WhatIsFixedStaysAsItIs) {
    const Json rate = {
        {"name", "training.learning_rate"}, {"kind", "log_real"}, {"lower", 1e-4}, {"upper", 1e-2}};
    const SearchSpace space = with_recipe(
        {{"schedule", "step"}, {"step_epochs", 40}, {"gamma", 0.5}, {"optimizer", "adamw"}},
        Json::array({rate}));
    EXPECT_EQ(recipe(space, {1e-3}).step_epochs, 40);
    EXPECT_EQ(recipe(space, {1e-3}).gamma, 0.5);
    EXPECT_EQ(recipe(space, {1e-3}).schedule, "step");
    EXPECT_EQ(recipe(space, {1e-3}).optimizer, "adamw");
}

TEST(RecipeGenes, ThatAlsoSetSomethingElseStay) {
    const Json both = {{"name", "both"},
                       {"path", {"training.step_epochs", "training.batch"}},
                       {"kind", "ordinal"},
                       {"choices", {20, 40}}};
    const SearchSpace space = with_recipe({{"schedule", "step"}}, Json::array({both}));
    EXPECT_NE(space.identity({{0}}), space.identity({{1}}));
    EXPECT_EQ(recipe(space, {1}).step_epochs, 40);
}

TEST(RecipeGenes, RunsFromBeforeKeepTheirDesigns) {
    const SearchSpace space = with_recipe({{"schedule", "step"}}, {steps, gammas});
    EXPECT_FALSE(space.has_idle_genes());
    const SearchSpace before = space.with_idle_genes();
    EXPECT_TRUE(before.has_idle_genes());
    EXPECT_EQ(before.identity(), space.identity());
    EXPECT_EQ(recipe(before, {3, 0.7}).step_epochs, 40);
    EXPECT_EQ(recipe(before, {3, 0.7}).gamma, 0.7);
}

/// What a recipe does, epoch by epoch: the same text for the same training.
std::string course(const ArchitectureSpec& spec) {
    Json json = spec.to_json();
    Json& training = json["training"];
    const TrainingRecipe& recipe = spec.training;
    std::vector<double> factors;
    for (int epoch = 0; epoch < recipe.epochs; ++epoch)
        factors.push_back(
            recipe.schedule == "step"     ? std::pow(recipe.gamma, epoch / recipe.step_epochs)
            : recipe.schedule == "cosine" ? 1 + std::cos(std::acos(-1.0) * epoch / recipe.epochs)
                                          : 1);
    for (const char* key : {"schedule", "step_epochs", "gamma"}) training.erase(key);
    training["rates"] = factors;
    if (recipe.optimizer == "adamw" && recipe.weight_decay == 0) training["optimizer"] = "adam";
    return json.dump();
}

class EverySpacesRecipes : public testing::TestWithParam<std::string> {};

TEST_P(EverySpacesRecipes, EqualTrainingsAreEqualDesignsAndOthersAreNot) {
    for (const int epochs : {2, 15, 50}) {
        const SearchSpace space =
            SearchSpace::from_file(GetParam(), {{"training", {{"epochs", epochs}}}});
        RandomStream random(7, "recipes");
        std::map<std::string, std::set<std::string>> designs, trainings;
        for (int i = 0; i < 300; ++i) {
            const Genome genome = space.sample(random);
            // Beside each design those that differ from it in one gene of the recipe.
            for (std::size_t gene = 0; gene < genome.genes.size(); ++gene) {
                const Variable& variable = space.variables()[gene];
                const bool varies =
                    !variable.paths.empty() && variable.paths[0].rfind("training.", 0) == 0;
                if (gene > 0 && !varies) continue;
                Genome other = genome;
                if (varies) other.genes[gene] = variable.sample(random);
                space.canonicalise(other);
                const DesignPtr design = space.try_decode(other).design;
                if (!design) continue;
                const std::string what = course(design->spec());
                designs[what].insert(design->text());
                trainings[design->text()].insert(what);
                // It is what was bred, said otherwise.
                EXPECT_EQ(course(space.with_idle_genes().decode(other)), what);
            }
        }
        ASSERT_GT(designs.size(), 30u);
        for (const auto& each : designs) EXPECT_EQ(each.second.size(), 1u) << each.first;
        for (const auto& each : trainings) EXPECT_EQ(each.second.size(), 1u) << each.first;
    }
}

INSTANTIATE_TEST_SUITE_P(Shipped, EverySpacesRecipes,
                         testing::Values("hpc2edge", "swin3d-wide", "cnn3d", "mbconv3d", "mixed",
                                         "quickstart"),
                         [](const auto& name) {
                             std::string text = name.param;
                             for (char& c : text)
                                 if (c == '-') c = '_';
                             return text;
                         });

TEST(RecipeGenes, ThePublishedSpaceHasOneScheduleInTwoEpochs) {
    const SearchSpace space = SearchSpace::from_file("hpc2edge");
    RandomStream random(7, "published");
    int decoded = 0;
    for (int i = 0; i < 100; ++i) {
        const DesignPtr design = space.try_decode(space.sample(random)).design;
        if (!design) continue;
        ++decoded;
        EXPECT_EQ(design->spec().training.step_epochs, 10);
        EXPECT_EQ(design->spec().training.gamma, 0.1);
    }
    EXPECT_GT(decoded, 50);
}

}  // namespace
}  // namespace edgeloop::recipe_genes_test
