// The worked example of a network family (experiments/own) is one: what it counts is what it
// builds.
#include "model/network.hpp"

#include "edgeloop/architecture/families/pooled.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::own_family_test {
namespace {

Pooled pooled(const Extent3& grid, const std::vector<int>& hidden) {
    Pooled network;
    network.grid = grid;
    network.hidden = hidden;
    return network;
}

TEST(OwnFamily, CountsWhatItBuilds) {
    ClipShape clip;
    clip.frames = 5;
    clip.side = 11;
    for (const Pooled& config :
         {pooled({1, 1, 1}, {}), pooled({4, 6, 6}, {8, 3}), pooled({64, 64, 64}, {5})}) {
        const auto network = config.build(clip, 2);
        std::int64_t parameters = 0;
        for (const torch::Tensor& each : network->parameters()) parameters += each.numel();
        const ModelCounts counts = config.count(clip);
        EXPECT_EQ(counts.parameters, parameters);
        EXPECT_GT(counts.flops, 0);
        const torch::Tensor clips = torch::rand({3, 1, 5, 11, 11});
        EXPECT_EQ(network->forward(clips).sizes(), (std::vector<std::int64_t>{3, 2}));
    }
}

TEST(OwnFamily, RefusesBitsThatItDoesNotHave) {
    Pooled config = pooled({2, 2, 2}, {});
    EXPECT_FALSE(config.problem());
    config.quantisation.stages.resize(1);
    EXPECT_TRUE(config.problem());
}

}  // namespace
}  // namespace edgeloop::own_family_test
