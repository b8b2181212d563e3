#include "chains.hpp"

#include "edgeloop/adaptation/network.hpp"
#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::adaptation::gradients_test {
namespace {

using ::testing::HasSubstr;

std::vector<float> random_floats(RandomStream& random, std::int64_t count) {
    std::vector<float> list;
    for (std::int64_t i = 0; i < count; ++i) list.push_back(float(random.normal()));
    return list;
}

/// sum of outputs times slopes, by the reference.
double weighed(const Graph& graph, const std::vector<float>& clip,
               const std::vector<float>& slopes) {
    const auto result = inference::evaluate(graph, {clip, {}}).back().real;
    double sum = 0;
    for (std::size_t i = 0; i < result.size(); ++i) sum += double(result[i]) * double(slopes[i]);
    return sum;
}

/// Holds each gradient against the difference quotient of the reference. Where a pool or a ReLU
/// changes its mind in between, the quotient is none; such parameters are counted.
/// @return share of the parameters that could be compared.
double expect_quotients(const Graph& graph, RandomStream& random) {
    const auto clip = random_floats(random, graph.input.elements());
    const auto slopes = random_floats(random, inference::kinds_of(graph).back().shape.elements());
    Network network(graph, 0);
    (void)network.forward(clip.data());
    network.backward(slopes.data());
    std::size_t all = 0, compared = 0;
    for (std::size_t layer = 0; layer < graph.layers.size(); ++layer) {
        const Network::Place place = network.place_of(layer);
        for (const bool is_bias : {false, true}) {
            const std::size_t count = is_bias ? place.bias_count : place.weight_count;
            const std::size_t first = is_bias ? place.biases : place.weights;
            for (std::size_t i = 0; i < count; ++i) {
                const auto quotient = [&](float step) {
                    Graph changed = graph;
                    auto& list =
                        is_bias ? changed.layers[layer].bias : changed.layers[layer].weights;
                    const float before = list[i];
                    list[i] = before + step;
                    const double above = weighed(changed, clip, slopes);
                    const float upper = list[i];
                    list[i] = before - step;
                    return (above - weighed(changed, clip, slopes)) /
                           (double(upper) - double(list[i]));
                };
                const double fine = quotient(1e-3F), coarse = quotient(2e-3F);
                const double tolerance = 2e-3 * (1 + std::fabs(fine));
                ++all;
                if (std::fabs(fine - coarse) > tolerance) continue;
                ++compared;
                EXPECT_NEAR(double(network.gradients()[first + i]), fine, 2 * tolerance)
                    << "layer " << layer << (is_bias ? ", bias " : ", weight ") << i;
            }
        }
        if (testing::Test::HasFailure()) break;
    }
    return double(compared) / double(all);
}

TEST(Gradients, AreDifferenceQuotientsOfAllLayers) {
    RandomStream random(1, "gradients");
    for (int i = 0; i < 2; ++i) EXPECT_GT(expect_quotients(all_layers(random), random), 0.7);
}

TEST(Gradients, AreDifferenceQuotientsOfANetworkWithMeans) {
    RandomStream random(2, "gradients");
    const Graph graph =
        chain({1, {4, 7, 7}},
              {float_convolution(random, 1, 17, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, true),
               pool_of({2, 2, 2}),
               float_convolution(random, 17, 4, {2, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, true),
               mean_layer(), linear_of(random, 4, 3, false)});
    EXPECT_GT(expect_quotients(graph, random), 0.7);
}

TEST(Gradients, ForwardIsTheReference) {
    RandomStream random(3, "forward");
    for (int i = 0; i < 10; ++i) {
        const Graph graph = all_layers(random);
        const auto clip = random_floats(random, graph.input.elements());
        const auto expected = inference::evaluate(graph, {clip, {}}).back().real;
        Network network(graph, 0);
        const float* const result = network.forward(clip.data());
        for (std::size_t k = 0; k < expected.size(); ++k)
            EXPECT_NEAR(result[k], expected[k], 1e-4 * (1 + std::fabs(expected[k])));
    }
}

TEST(Gradients, OfSeveralClipsAddUp) {
    RandomStream random(4, "sums");
    const Graph graph = all_layers(random);
    const auto a = random_floats(random, graph.input.elements());
    const auto b = random_floats(random, graph.input.elements());
    const float slopes[] = {0.5F, -1.5F};
    Network network(graph, 0);
    const auto gradients_of = [&](std::initializer_list<const float*> clips) {
        network.clear_gradients();
        for (const float* const clip : clips) {
            (void)network.forward(clip);
            network.backward(slopes);
        }
        return network.gradients();
    };
    const auto of_a = gradients_of({a.data()}), of_b = gradients_of({b.data()});
    const auto of_both = gradients_of({a.data(), b.data()});
    for (std::size_t i = 0; i < of_both.size(); ++i)
        EXPECT_NEAR(of_both[i], of_a[i] + of_b[i], 1e-5 * (1 + std::fabs(of_both[i])));
}

TEST(Gradients, OtherNetworksAreRefused) {
    RandomStream random(5, "refused");
    const auto expect_refused = [](const Graph& graph, const char* what) {
        try {
            const Network network(graph, 0);
            FAIL() << what;
        } catch (const ConfigError& error) {
            EXPECT_THAT(error.what(), HasSubstr(what));
        }
    };
    GraphMaker maker(random, {1, {2, 5, 5}}, {});
    maker.convolve(Operation::convolution, 3, {1, 1, 1}, {1, 1, 1}, {});
    maker.convolve(Operation::convolution, 3, {1, 1, 1}, {1, 1, 1}, {});
    maker.binary(Operation::add, 1);
    Graph graph = maker.take();
    graph.layers[0].activation = graph.layers[1].activation = inference::Activation::none;
    expect_refused(graph, "layer 2 (add) cannot learn on a device");
    graph = all_layers(random);
    graph.layers[0].activation = inference::Activation::silu;
    expect_refused(graph, "its activation is not ReLU");
}

}  // namespace
}  // namespace edgeloop::adaptation::gradients_test
