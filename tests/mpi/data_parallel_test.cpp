// The course of a real training on k ranks against the same on one rank with the same global batch.
#include "mpi_world.hpp"
#include "support/shared_dataset.hpp"
#include "training/training_run.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::world;

constexpr int global_batch = 12;
constexpr std::size_t samples = 58;  // five steps an epoch, the last one with 10 samples

const char* const cnn3d =
    R"("family":"cnn3d","architecture":{"stages":[{"channels":4,"kernel":[3,3,3],"pool":[2,4,4]}],)"
    R"("hidden":[8],"norm":"group","reduce":"flatten"})";
const char* const swin3d =
    R"("family":"swin3d","architecture":{"patch":[2,4,4],"embed_dim":12,"depths":[2],"heads":[3],)"
    R"("window":[2,2,2],"mlp_ratio":2,"head_hidden":[8,4],"drop_path":0,"dropout":0})";

class DataParallelTest : public test::SharedDatasetTest,
                         public testing::WithParamInterface<const char*> {
  protected:
    static TrainingSettings settings() {
        TrainingSettings settings = test::cpu_settings(shards());
        settings.max_train_samples = samples;
        return settings;
    }
    static Candidate candidate(const Communicator& group, const std::string& recipe) {
        Candidate made;
        made.id = 1;
        made.seed = 5;
        made.design =
            Design::parse(std::string("{") + GetParam() +
                              R"(,"clip":{"frames":4,"stride":1,"side":16},"training":{"batch":)" +
                              std::to_string(global_batch / group.size()) + "," + recipe + "}}",
                          "test");
        return made;
    }
    static std::unique_ptr<TrainingRun> begin(const Communicator& group,
                                              const std::string& recipe) {
        const auto dataset = std::make_shared<const Dataset>(shards());
        return std::make_unique<TrainingRun>(settings(), dataset, candidate(group, recipe), group);
    }
    static StepTotals step(TrainingRun& run) {
        StepTotals own;
        run.compute_gradients(own);
        const StepTotals totals = run.exchange_gradients(own);
        run.update_weights(totals);
        return totals;
    }
    /// Mean loss of each step, and how many samples it had.
    static std::vector<StepTotals> curve(const Communicator& group) {
        const auto run = begin(group, R"("learning_rate":0.001,"schedule":"constant","epochs":10)");
        std::vector<StepTotals> steps;
        for (int epoch = 0; epoch < 10; ++epoch) {
            run->start_epoch(epoch, 0);
            for (std::size_t i = 0; i < run->train_steps(); ++i) steps.push_back(step(*run));
        }
        return steps;
    }
    /// Weights after one step of plain descent, so large that it is all there is to see.
    static torch::Tensor gradient(const Communicator& group) {
        const auto run = begin(
            group, R"("optimizer":"sgd","learning_rate":100,"schedule":"constant","epochs":1)");
        const auto flat = [&run] {
            std::vector<torch::Tensor> parts;
            for (const auto& weight : run->weights())
                parts.push_back(weight.second.flatten().clone());
            return torch::cat(parts);
        };
        const torch::Tensor before = flat();
        run->start_epoch(0, 4);  // the uneven step
        EXPECT_EQ(step(*run).samples, samples % global_batch);
        return (flat() - before) / -100;
    }
};

TEST_P(DataParallelTest, LossCurvesAgree) {
    const std::vector<StepTotals> alone = curve(Communicator());
    const std::vector<StepTotals> together = curve(world());
    ASSERT_EQ(alone.size(), 50u);
    ASSERT_EQ(together.size(), 50u);
    double largest = 0;
    for (std::size_t step = 0; step < alone.size(); ++step) {
        ASSERT_EQ(alone[step].samples, step % 5 == 4 ? 10 : 12);
        ASSERT_EQ(together[step].samples, alone[step].samples);
        const double expected = alone[step].loss_sum, found = together[step].loss_sum;
        EXPECT_NEAR(found, expected, 1e-4 * expected) << step;
        largest = std::max(largest, std::abs(found / expected - 1));
    }
    EXPECT_LT(alone[45].loss_sum, alone[0].loss_sum);
    if (world().rank() == 0)
        std::printf("largest relative difference in 50 steps: %.1e\n", largest);
}

TEST_P(DataParallelTest, GradientsAgree) {
    const torch::Tensor alone = gradient(Communicator()), together = gradient(world());
    const double difference =
        (together - alone).norm().item<double>() / alone.norm().item<double>();
    EXPECT_LE(difference, 1e-6);
    if (world().rank() == 0) std::printf("relative difference of gradients: %.1e\n", difference);
}

using FinalRanksTest = test::SharedDatasetTest;

TEST_F(FinalRanksTest, AreThoseOfTheLeaderToTheLastBit) {
    Candidate one;
    one.id = 1;
    one.seed = 5;
    one.design = Design::parse(
        std::string("{") + cnn3d +
            R"(,"clip":{"frames":4,"stride":1,"side":16},"training":{"batch":4,"epochs":4},)"
            R"("low_rank":{"stages":[{"format":"tt","rank_max":6,"rank_target":2}],)"
            R"("dense":{"format":"tt"}}})",
        "test");
    TrainingSettings settings = test::cpu_settings(shards());
    settings.average_decay = 0.9;
    TrainingRun run(settings, std::make_shared<const Dataset>(shards()), one, world());
    // Stands for processors that round in other ways: bases are then not the same.
    Weights weights = run.weights();
    for (auto& [name, tensor] : weights) tensor.mul_(1 + 1e-3 * world().rank());
    run.set_weights(weights);
    const auto step = [&run] {
        StepTotals own;
        run.compute_gradients(own);
        run.update_weights(run.exchange_gradients(own));
    };
    run.start_epoch(0, 0);
    step();
    std::string state;
    if (world().rank() == 0) {
        TrainingProgress progress;
        progress.ranks = run.settle_ranks();
        state = run.save(progress, {});
    }
    world().broadcast(state, 0);
    if (world().rank() > 0) (void)run.restore(state, "the leader's");
    step();
    for (const bool average : {false, true}) {
        run.use_average(average);
        std::vector<torch::Tensor> all;
        for (const auto& [name, tensor] : run.weights()) all.push_back(tensor.flatten());
        const torch::Tensor flat = torch::cat(all).contiguous();
        EXPECT_TRUE(world().is_same_on_all_ranks(
            {static_cast<const char*>(flat.data_ptr()), std::size_t(flat.nbytes())}));
    }
    EXPECT_EQ(run.final_ranks().count("stages.0.conv"), 1u);
}

INSTANTIATE_TEST_SUITE_P(Families, DataParallelTest, testing::Values(cnn3d, swin3d),
                         [](const auto& which) {
                             return std::string(which.index == 0 ? "cnn3d" : "swin3d");
                         });

}  // namespace
}  // namespace edgeloop
