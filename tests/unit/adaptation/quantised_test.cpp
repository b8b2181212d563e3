#include "chains.hpp"

#include "edgeloop/adaptation/network.hpp"
#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/inference/model_file.hpp"
#include "edgeloop/inference/networks.hpp"

#include <gtest/gtest.h>

namespace edgeloop::adaptation::quantised_test {
namespace {

/// A cnn3d of these bits, with random weights.
Graph quantised(int weights, int activations, const char* reduce, const char* quantiser) {
    const Json bits = {{"weights", weights}, {"activations", activations}};
    const Json first = {{"weights", weights}, {"activations", 8}};  // reads grey values
    const Json text = {
        {"family", "cnn3d"},
        {"architecture",
         {{"stages",
           {{{"channels", 5}, {"kernel", {3, 3, 3}}, {"pool", {1, 2, 2}}},
            {{"channels", 6}, {"kernel", {3, 3, 3}}, {"pool", {2, 2, 2}}}}},
          {"hidden", {7}},
          {"norm", "none"},
          {"dropout", 0},
          {"reduce", reduce}}},
        {"quantisation", {{"quantiser", quantiser}, {"stages", {first, bits}}, {"dense", bits}}},
        {"clip", {{"frames", 4}, {"stride", 1}, {"side", 12}, {"mean", 0.4}}}};
    return inference::random_graph_of(ArchitectureSpec::from_json(text, "test"));
}

/// As the network of integers reads a clip of bytes.
std::vector<float> floats_of(const Graph& graph, const std::vector<std::uint8_t>& clip) {
    const auto step = float(
        inference::input_scale(graph.metadata.at("normalisation").at("deviation").get<double>()));
    std::vector<float> list;
    for (const std::uint8_t grey : clip)
        list.push_back(step * float(int(grey) - graph.input_elements.zero));
    return list;
}

class Quantised : public testing::TestWithParam<std::tuple<int, int, const char*, const char*>> {
  protected:
    [[nodiscard]] static Graph graph() { return std::apply(quantised, GetParam()); }
};

TEST_P(Quantised, TheWayBackIsTheSameFile) {
    const Graph before = graph();
    Network network(before, 0);
    EXPECT_EQ(inference::encode_model(network.take_graph()), inference::encode_model(before));
}

TEST_P(Quantised, ForwardIsWhatTheIntegersGive) {
    const Graph before = graph();
    Network network(before, 0);
    RandomStream random(1, "clips");
    double sum = 0, largest = 0;
    int count = 0;
    for (int i = 0; i < 20; ++i) {
        const inference::Values clip = inference::random_clip(random, before);
        const auto expected = inference::evaluate(before, clip).back().real;
        const auto floats = floats_of(before, clip.integers);
        const float* const result = network.forward(floats.data());
        for (std::size_t k = 0; k < expected.size(); ++k, ++count) {
            sum += double(std::fabs(result[k] - expected[k]));
            largest = std::max(largest, double(std::fabs(expected[k])));
        }
    }
    // A sum on the border of two activations may become either.
    EXPECT_GT(largest, 0);
    EXPECT_LE(sum / count, 0.02 * largest);
}

TEST_P(Quantised, StepsChangeTheIntegers) {
    const Graph before = graph();
    Network network(before, 0);
    RandomStream random(2, "clips");
    const std::vector<float> clip =
        floats_of(before, inference::random_clip(random, before).integers);
    const float slopes[] = {1, -1};
    const auto weighed = [&](const float* result) { return double(result[0] - result[1]); };
    const double first = weighed(network.forward(clip.data()));
    for (int i = 0; i < 50; ++i) {
        network.clear_gradients();
        (void)network.forward(clip.data());
        network.backward(slopes);
        double squares = 0;
        for (const float slope : network.gradients()) squares += double(slope) * double(slope);
        ASSERT_GT(squares, 0);
        for (std::size_t k = 0; k < network.parameters().size(); ++k)
            network.parameters()[k] -= float(0.05 / std::sqrt(squares)) * network.gradients()[k];
        network.clamp();
    }
    const double last = weighed(network.forward(clip.data()));
    EXPECT_LT(last, first);
    const Graph after = network.take_graph();
    std::size_t changed = 0;
    for (std::size_t i = 0; i < before.layers.size(); ++i)
        for (std::size_t k = 0; k < before.layers[i].integer.weights.size(); ++k)
            changed += after.layers[i].integer.weights[k] != before.layers[i].integer.weights[k];
    EXPECT_GT(changed, 0U);
    EXPECT_EQ(inference::kinds_of(after).size(), inference::kinds_of(before).size());
}

INSTANTIATE_TEST_SUITE_P(Bits, Quantised,
                         testing::Values(std::make_tuple(8, 8, "flatten", "lsq"),
                                         std::make_tuple(8, 8, "mean", "vecq"),
                                         std::make_tuple(4, 4, "mean", "vecq"),
                                         std::make_tuple(2, 2, "flatten", "lsq"),
                                         std::make_tuple(1, 2, "flatten", "lsq")));

}  // namespace
}  // namespace edgeloop::adaptation::quantised_test
