#include "training/training_state.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <string>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::training_state_test {
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
    progress.curve = {{1, 0.01, {{"val_rmse", 0.2}}, 0.1}, {2, 0.003, {{"val_rmse", 0.1}}, 0}};
    const Weights best = {{"weight", torch::ones({2, 3})}};
    const Weights average = {{"weight", torch::full({2, 3}, 7.0)}};
    const std::string bytes =
        encode_training_state("me", progress, best, average, *before.network, before.adam);
    Trained after;
    const TrainingProgress found = restore(bytes, after);
    EXPECT_EQ(found.epoch, 3);
    EXPECT_EQ(found.step, 17u);
    EXPECT_EQ(found.loss_sum, 0.1);
    EXPECT_EQ(found.best_epoch, 2);
    EXPECT_EQ(found.best_metrics, progress.best_metrics);
    EXPECT_TRUE(torch::equal(after.network->weight, before.network->weight));
    ASSERT_EQ(found.curve.size(), 2u);
    EXPECT_EQ(found.curve[0].averaged_rmse, 0.1);
    EXPECT_EQ(found.curve[1].epoch, 2);
    EXPECT_EQ(found.curve[1].learning_rate, 0.003);
    EXPECT_EQ(found.curve[1].metrics, progress.curve[1].metrics);
    const RestoredTraining kept =
        restore_training_state(bytes, "me", *after.network, after.adam, "test");
    EXPECT_TRUE(torch::equal(kept.best.at("weight"), best.at("weight")));
    EXPECT_TRUE(torch::equal(kept.average.at("weight"), average.at("weight")));
    const std::string plain = encode_training_state("me", {}, {}, {}, *before.network, before.adam);
    EXPECT_TRUE(
        restore_training_state(plain, "me", *after.network, after.adam, "test").average.empty());
}

/// One more step on other inputs, the same for all.
template <class Optimizer>
void step(torch::nn::Linear& network, Optimizer& optimizer) {
    optimizer.zero_grad();
    network->forward(torch::arange(6).to(torch::kFloat32).reshape({2, 3}))
        .square()
        .sum()
        .backward();
    optimizer.step();
}

/// A network of which one parameter has no gradient, trained for three steps.
template <class Optimizer, class Options>
struct Learner {
    explicit Learner(const Options& options) : optimizer(network->parameters(), options) {}
    void learn() {
        network->bias.set_requires_grad(false);
        for (int i = 0; i < 3; ++i) step(network, optimizer);
    }
    torch::nn::Linear network{3, 2};
    Optimizer optimizer;
};

template <class Optimizer, class Options>
void goes_on_with_the_same_bits(const Options& options) {
    Learner<Optimizer, Options> before(options), after(options);
    before.learn();
    const std::string bytes =
        encode_training_state("me", {}, {}, {}, *before.network, before.optimizer);
    step(after.network, after.optimizer);  // has a state of its own
    (void)restore_training_state(bytes, "me", *after.network, after.optimizer, "test");
    for (int i = 0; i < 2; ++i) {
        for (Learner<Optimizer, Options>* one : {&before, &after}) {
            one->network->bias.set_requires_grad(true);  // whose state begins now
            step(one->network, one->optimizer);
        }
        EXPECT_TRUE(torch::equal(after.network->weight, before.network->weight)) << i;
        EXPECT_TRUE(torch::equal(after.network->bias, before.network->bias)) << i;
    }
}

TEST(TrainingState, EachOptimizerGoesOnWithTheSameBits) {
    goes_on_with_the_same_bits<torch::optim::Adam>(torch::optim::AdamOptions(0.01));
    goes_on_with_the_same_bits<torch::optim::AdamW>(torch::optim::AdamWOptions(0.01));
    goes_on_with_the_same_bits<torch::optim::SGD>(torch::optim::SGDOptions(0.01).momentum(0.9));
}

TEST(TrainingState, OfOtherParametersIsRefused) {
    const Trained before;
    const std::string bytes = encode_training_state("me", {}, {}, {}, *before.network, before.adam);
    Trained after;
    torch::optim::Adam of_one({after.network->weight}, torch::optim::AdamOptions(0.01));
    EXPECT_THROW((void)restore_training_state(bytes, "me", *after.network, of_one, "test"),
                 CorruptState);
    torch::optim::SGD other(after.network->parameters(), torch::optim::SGDOptions(0.01));
    EXPECT_THROW((void)restore_training_state(bytes, "me", *after.network, other, "test"),
                 CorruptState);
}

TEST(TrainingState, DamageOfAnyKindIsNoticed) {
    const Trained before;
    const std::string bytes = encode_training_state("me", {}, {}, {}, *before.network, before.adam);
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
}  // namespace edgeloop::training_state_test
