#include "training/training_state.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <string>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

struct Trained {
    Trained() : adam(network->parameters(), torch::optim::AdamOptions(0.01)) {
        network->forward(torch::ones({2, 3})).sum().backward();
        adam.step();
    }
    torch::nn::Linear network{3, 2};
    torch::optim::Adam adam;
};

TrainingProgress restore(const std::string& bytes, Trained& into) {
    return restore_training_state(bytes, "me", *into.network, into.adam, "test").progress;
}

TEST(TrainingState, ComesBack) {
    const Trained before;
    TrainingProgress progress;
    progress.epoch = 3;
    progress.step = 17;
    progress.loss_sum = 0.1;
    progress.best_epoch = 2;
    progress.best_metrics = {{"val_rmse", 0.1}, {"r2_speed", 1.0 / 3}};
    const Weights best = {{"weight", torch::ones({2, 3})}};
    const std::string bytes =
        encode_training_state("me", progress, best, *before.network, before.adam);
    Trained after;
    const TrainingProgress found = restore(bytes, after);
    EXPECT_EQ(found.epoch, 3);
    EXPECT_EQ(found.step, 17u);
    EXPECT_EQ(found.loss_sum, 0.1);
    EXPECT_EQ(found.best_epoch, 2);
    EXPECT_EQ(found.best_metrics, progress.best_metrics);
    EXPECT_TRUE(torch::equal(after.network->weight, before.network->weight));
    const Weights kept =
        restore_training_state(bytes, "me", *after.network, after.adam, "test").best;
    EXPECT_TRUE(torch::equal(kept.at("weight"), best.at("weight")));
}

TEST(TrainingState, DamageOfAnyKindIsNoticed) {
    const Trained before;
    const std::string bytes = encode_training_state("me", {}, {}, *before.network, before.adam);
    Trained after;
    for (std::size_t length = 0; length < bytes.size(); ++length)
        ASSERT_THROW((void)restore(bytes.substr(0, length), after), CorruptState) << length;
    RandomStream random(1, "bit flips");
    for (int i = 0; i < 2000; ++i) {
        const std::uint64_t bit = random.below(8 * bytes.size());
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_THROW((void)restore(flipped, after), CorruptState) << bit;
    }
}

}  // namespace
}  // namespace edgeloop
