// Data-parallel gradients and losses against the same computation on one rank.
#include "mpi_world.hpp"
#include "training/gradient_averager.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

using test::world;

/// A network with a branch that some inputs leave unused, so that ranks differ in which gradients
/// arrive.
struct BranchedNet : torch::nn::Module {
    explicit BranchedNet(bool uses_branch = true) : branch(uses_branch) {
        torch::manual_seed(3);
        first = register_module("first", torch::nn::Linear(6, 16));
        side = register_module("side", torch::nn::Linear(16, 16));
        last = register_module("last", torch::nn::Linear(16, 2));
    }
    torch::Tensor forward(const torch::Tensor& input) {
        torch::Tensor hidden = torch::tanh(first->forward(input));
        if (branch && input.size(0) % 2 == 0) hidden = hidden + torch::tanh(side->forward(hidden));
        return last->forward(hidden);
    }
    bool branch;
    torch::nn::Linear first{nullptr}, side{nullptr}, last{nullptr};
};

struct Samples {
    torch::Tensor inputs, targets;
};

Samples samples(std::int64_t count) {
    torch::manual_seed(17);
    const torch::Tensor inputs = torch::randn({count, 6});
    return {inputs, torch::stack({inputs.sum(1).sin(), inputs.square().mean(1)}, 1)};
}

/// This rank's run of `count` samples cut into equal shares; the last ones are smaller or empty.
Samples share_of(const Samples& all, int rank, int ranks) {
    const std::int64_t count = all.inputs.size(0);
    const std::int64_t each = (count + ranks - 1) / ranks;
    const std::int64_t first = std::min(count, rank * each);
    const std::int64_t length = std::min(count - first, each);
    return {all.inputs.narrow(0, first, length), all.targets.narrow(0, first, length)};
}

StepTotals backward(BranchedNet& net, const Samples& part) {
    StepTotals own;
    own.samples = double(part.inputs.size(0));
    if (own.samples == 0) return own;
    const torch::Tensor loss = (net.forward(part.inputs) - part.targets).square().sum() / 2;
    own.loss_sum = loss.item<double>();
    loss.backward();
    return own;
}

/// What a rank does after backward.
StepTotals finish(GradientAverager& averager, const StepTotals& own) {
    averager.stage();
    const StepTotals totals = averager.exchange(own);
    averager.average(totals);
    return totals;
}

/// Gradients as one flat vector after one step.
torch::Tensor gradients(const Communicator& group, const Samples& part, GradientExchange exchange,
                        StepTotals& totals) {
    BranchedNet net;
    GradientAverager averager(net.parameters(), group, exchange, 16);
    averager.begin();
    totals = finish(averager, backward(net, part));
    std::vector<torch::Tensor> flat;
    for (const torch::Tensor& parameter : net.parameters())
        flat.push_back(parameter.grad().flatten().clone());
    return torch::cat(flat);
}

TEST(Gradient, EqualsThatOfOneRankForEveryBatchSize) {
    for (const GradientExchange exchange :
         {GradientExchange::overlapped, GradientExchange::simple, GradientExchange::staged})
        for (std::int64_t count = 1; count <= 13; count += 3) {
            const Samples all = samples(count);
            // One rank that takes the same shares one after the other, so that the same branches
            // are used.
            BranchedNet net;
            for (int rank = 0; rank < world().size(); ++rank)
                backward(net, share_of(all, rank, world().size()));
            std::vector<torch::Tensor> flat;
            for (const torch::Tensor& parameter : net.parameters())
                flat.push_back(parameter.grad().defined()
                                   ? parameter.grad().flatten() / double(count)
                                   : torch::zeros({parameter.numel()}));
            const torch::Tensor expected = torch::cat(flat);

            StepTotals totals;
            const torch::Tensor found =
                gradients(world(), share_of(all, world().rank(), world().size()), exchange, totals);
            EXPECT_EQ(totals.samples, double(count));
            EXPECT_LE((found - expected).norm().item<double>(),
                      1e-6 * expected.norm().item<double>())
                << count;
        }
}

/// Flat, after one step in which each rank passes its share in parts of so many samples.
torch::Tensor gradients_in_parts(const Samples& part, GradientExchange exchange,
                                 std::int64_t at_once) {
    BranchedNet net(false);  // the branch depends on the size of a part
    GradientAverager averager(net.parameters(), world(), exchange, 16);
    averager.begin();
    StepTotals own;
    const std::int64_t count = part.inputs.size(0);
    for (std::int64_t first = 0; first < count; first += at_once) {
        const std::int64_t length = std::min(at_once, count - first);
        averager.expect_more(first + length < count);
        const StepTotals one = backward(
            net, {part.inputs.narrow(0, first, length), part.targets.narrow(0, first, length)});
        own.samples += one.samples;
        own.loss_sum += one.loss_sum;
    }
    EXPECT_EQ(finish(averager, own).samples, 11);
    std::vector<torch::Tensor> flat;
    for (const torch::Tensor& parameter : net.parameters())
        flat.push_back(parameter.grad().flatten().clone());
    return torch::cat(flat);
}

TEST(Gradient, OfPartsAddsUpToThatOfTheWhole) {
    const Samples share = share_of(samples(11), world().rank(), world().size());
    const torch::Tensor whole = gradients_in_parts(share, GradientExchange::simple, 11);
    for (const GradientExchange exchange :
         {GradientExchange::overlapped, GradientExchange::simple, GradientExchange::staged})
        for (const std::int64_t at_once : {1, 2, 11})
            EXPECT_LE((gradients_in_parts(share, exchange, at_once) - whole).norm().item<double>(),
                      1e-6 * whole.norm().item<double>())
                << at_once;
}

TEST(Gradient, IsTheSameToTheBitOnAllRanks) {
    for (const GradientExchange exchange :
         {GradientExchange::overlapped, GradientExchange::staged}) {
        StepTotals totals;
        const torch::Tensor found = gradients(
            world(), share_of(samples(11), world().rank(), world().size()), exchange, totals);
        EXPECT_TRUE(world().is_same_on_all_ranks(
            std::string_view(static_cast<const char*>(found.data_ptr()),
                             std::size_t(found.numel()) * sizeof(float))));
    }
}

/// Losses of 50 steps of Adam over epochs of 22 samples in batches of 8, so the last batch of each
/// epoch has 6.
std::vector<double> loss_curve(const Communicator& group) {
    BranchedNet net(false);  // the branch depends on the size of a share
    const Samples all = samples(22);
    torch::optim::Adam adam(net.parameters(), torch::optim::AdamOptions(1e-2));
    GradientAverager averager(net.parameters(), group, GradientExchange::overlapped, 16);
    std::vector<double> losses;
    for (int step = 0; step < 50; ++step) {
        const std::int64_t first = 8 * (step % 3);
        const std::int64_t length = std::min<std::int64_t>(8, 22 - first);
        const Samples batch{all.inputs.narrow(0, first, length),
                            all.targets.narrow(0, first, length)};
        averager.begin();
        // Shares of 8 / ranks samples, as a loader with a fixed batch per rank gives them.
        const std::int64_t each = (8 + group.size() - 1) / group.size();
        const std::int64_t begin = std::min(length, group.rank() * each);
        const std::int64_t own = std::min(length - begin, each);
        const StepTotals totals =
            finish(averager, backward(net, {batch.inputs.narrow(0, begin, own),
                                            batch.targets.narrow(0, begin, own)}));
        losses.push_back(totals.loss_sum / totals.samples);
        adam.step();
    }
    return losses;
}

TEST(Gradient, LossCurvesOfAGroupAndOfOneRankAgree) {
    const std::vector<double> alone = loss_curve(Communicator());
    const std::vector<double> together = loss_curve(world());
    for (std::size_t step = 0; step < alone.size(); ++step)
        EXPECT_NEAR(together[step], alone[step], 1e-4 * alone[step]) << step;
    EXPECT_LT(alone.back(), 0.5 * alone.front());
}

TEST(Gradient, ARankThatFailsBeforeItBeginsStillMeetsTheOthersInEveryStep) {
    const int failing = world().size() - 1;
    BranchedNet net;
    GradientAverager averager(net.parameters(), world(), GradientExchange::overlapped, 16);
    for (int step = 0; step < 3; ++step) {
        StepTotals own;
        if (world().rank() == failing) {
            own.failed = 1;
        } else {
            averager.begin();
            own = backward(net, share_of(samples(12), world().rank(), world().size()));
            averager.stage();
        }
        EXPECT_EQ(averager.exchange(own).failed, 1) << step;
    }
}

TEST(Gradient, AFailureInTheMiddleOfBackwardReachesAllRanks) {
    const int failing = world().size() - 1;
    BranchedNet net;
    const torch::Tensor before = net.last->weight.detach().clone();
    GradientAverager averager(net.parameters(), world(), GradientExchange::overlapped, 16);
    for (const bool fail : {true, false}) {
        averager.begin();
        StepTotals own;
        if (fail && world().rank() == failing) {
            // Gradients of the last layer arrive, then this rank fails.
            const torch::Tensor hidden = torch::ones({1, 16});
            net.last->forward(hidden).sum().backward();
            own.failed = 1;
        } else {
            own = backward(net, share_of(samples(12), world().rank(), world().size()));
            own.cancelled = world().rank() == 0 ? 1 : 0;
        }
        const StepTotals totals = averager.exchange(own);
        EXPECT_EQ(totals.failed, fail ? 1 : 0);
        EXPECT_EQ(totals.cancelled, fail && failing == 0 ? 0 : 1);
    }
    EXPECT_TRUE(torch::equal(before, net.last->weight.detach()));
}

}  // namespace
}  // namespace edgeloop
