#include "edgeloop/evolution/nas_table.hpp"

#include "edgeloop/evolution/problems.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::nas_table_test {
namespace {

Genome design(const NasTable& table, double learning_rate) {
    RandomStream random(1, "design");
    Genome genome = table.space().sample(random);
    genome.genes[13] = learning_rate;
    return genome;
}

TEST(NasTable, IsAFunctionOfTheDesignAndItsBudget) {
    const NasTable a, b;
    const Genome genome = design(a, 1e-3);
    EXPECT_EQ(a.look_up(genome, 5).val_rmse, b.look_up(genome, 5).val_rmse);
    EXPECT_NE(a.look_up(genome, 5).val_rmse, a.look_up(genome, 6).val_rmse);
    EXPECT_EQ(a.look_up(genome, 5).latency_ms, a.look_up(genome, 27).latency_ms);
    EXPECT_DOUBLE_EQ(a.look_up(genome, 9).training_seconds,
                     3 * a.look_up(genome, 3).training_seconds);
}

TEST(NasTable, TrainingHelpsUnlessItDiverges) {
    const NasTable table;
    const Genome good = design(table, 1e-3), wild = design(table, 0.9);
    EXPECT_LT(table.look_up(good, 27).val_rmse, 0.6 * table.look_up(good, 1).val_rmse);
    EXPECT_GE(table.look_up(wild, 27).val_rmse, 0.36);
}

TEST(NasTable, AccuracyCostsLatency) {
    const NasTable table;
    Genome small = design(table, 2e-3), large = small;
    for (std::size_t i = 0; i < 13; ++i) {
        const bool is_patch = i < 3;
        const double last = static_cast<double>(table.space().variables()[i].choices.size()) - 1;
        small.genes[i] = is_patch ? last : 0;
        large.genes[i] = is_patch ? 0 : last;
    }
    EXPECT_GT(table.look_up(large).latency_ms, 10 * table.look_up(small).latency_ms);
    EXPECT_LT(table.look_up(large).val_rmse, table.look_up(small).val_rmse);
}

TEST(NasTable, ShortTrainingsRankDesignsOnlyRoughly) {
    const NasTable table;
    RandomStream random(2, "pairs");
    int pairs = 0, agree = 0;
    while (pairs < 400) {
        const Genome a = table.space().sample(random), b = table.space().sample(random);
        const double full = table.look_up(a).val_rmse - table.look_up(b).val_rmse;
        if (table.look_up(a).val_rmse > 0.2 || table.look_up(b).val_rmse > 0.2) continue;
        ++pairs;
        agree += (table.look_up(a, 3).val_rmse < table.look_up(b, 3).val_rmse) == (full < 0);
    }
    EXPECT_GT(agree, 240) << "a budget of 3 epochs says something";
    EXPECT_LT(agree, 380) << "but not everything";
}

TEST(NasTable, IsAProblemWithBudgets) {
    const NasTable table;
    const Problem problem = find_problem("nas-table");
    const Genome genome = design(table, 1e-3);
    const auto full = table.look_up(genome), early = table.look_up(genome, 3);
    EXPECT_EQ(problem.evaluate(genome).objectives,
              (std::vector<double>{full.val_rmse, full.latency_ms}));
    EXPECT_EQ(problem.evaluate(genome, 3).objectives[0], early.val_rmse);
    EXPECT_EQ(problem.evaluate(genome, 3).training_seconds, early.training_seconds);
    EXPECT_EQ(problem.objective_names(), (std::vector<std::string>{"val_rmse", "latency_ms"}));
}

}  // namespace
}  // namespace edgeloop::nas_table_test
