#include "chains.hpp"

#include "edgeloop/adaptation/network.hpp"
#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::adaptation::segments_test {
namespace {

TEST(Segments, GradientsAreTheSameBitsInAnyNumberOfThem) {
    RandomStream random(1, "segments");
    const Graph graph = all_layers(random);
    std::vector<float> clip;
    for (std::int64_t i = 0; i < graph.input.elements(); ++i)
        clip.push_back(float(random.normal()));
    const float slopes[] = {1, -2};
    Network whole(graph, 0);
    ASSERT_EQ(whole.segments(), 1);
    (void)whole.forward(clip.data());
    whole.backward(slopes);
    int most = 1;
    std::size_t least = whole.memory().total();
    for (std::size_t limit = whole.memory().total(); limit > 0; limit -= 64) {
        try {
            Network network(graph, limit);
            EXPECT_LE(network.memory().total(), limit);
            for (int pass = 0; pass < 2; ++pass) {
                network.clear_gradients();
                (void)network.forward(clip.data());
                network.backward(slopes);
            }
            ASSERT_EQ(network.gradients(), whole.gradients()) << network.segments();
            most = std::max(most, network.segments());
            least = network.memory().total();
        } catch (const ConfigError& error) {
            EXPECT_THAT(error.what(), ::testing::HasSubstr("raise --memory-limit-mib"));
            break;
        }
    }
    EXPECT_GT(most, 1);
    EXPECT_LT(least, whole.memory().total());
}

}  // namespace
}  // namespace edgeloop::adaptation::segments_test
