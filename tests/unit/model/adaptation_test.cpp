// Gradients of the torch-free networks against LibTorch's.
#include "unit/adaptation/chains.hpp"

#include "edgeloop/adaptation/network.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::adaptation::adaptation_test {
namespace {

namespace F = torch::nn::functional;

torch::Tensor leaf(const std::vector<float>& values) {
    return torch::tensor(values).set_requires_grad(true);
}

/// The layers of a graph as LibTorch computes them, with leaves for their weights and biases.
struct TorchChain {
    std::vector<torch::Tensor> weights, biases;

    torch::Tensor convolve(const inference::Layer& layer, const torch::Tensor& x) const {
        const auto& k = layer.kernel;
        const bool is_depthwise = layer.operation == Operation::depthwise;
        const std::int64_t inputs = is_depthwise ? 1 : x.size(1);
        const torch::Tensor weight =
            weights.back().view({layer.outputs, k[0], k[1], k[2], inputs}).permute({0, 4, 1, 2, 3});
        const torch::Tensor padded =
            F::pad(x, F::PadFuncOptions({layer.before[2], layer.after[2], layer.before[1],
                                         layer.after[1], layer.before[0], layer.after[0]}));
        return torch::conv3d(padded, weight, biases.back(),
                             {layer.stride[0], layer.stride[1], layer.stride[2]}, {0, 0, 0},
                             {1, 1, 1}, is_depthwise ? layer.outputs : 1);
    }

    torch::Tensor apply(const inference::Layer& layer, const torch::Tensor& x) {
        const auto& k = layer.kernel;
        weights.push_back(leaf(layer.weights));
        biases.push_back(leaf(layer.bias));
        switch (layer.operation) {
            case Operation::max_pool:
                return torch::max_pool3d(x, {k[0], k[1], k[2]});
            case Operation::norm:
                return torch::group_norm(x, layer.groups, weights.back(), biases.back(),
                                         double(layer.epsilon));
            case Operation::mean:
                return x.mean({2, 3, 4}, true);
            case Operation::linear:
                return torch::linear(x.permute({0, 2, 3, 4, 1}).reshape({1, -1}),
                                     weights.back().view({layer.outputs, -1}), biases.back())
                    .view({1, layer.outputs, 1, 1, 1});
            default:
                return convolve(layer, x);
        }
    }

    torch::Tensor run(const Graph& graph, const std::vector<float>& clip) {
        const auto& grid = graph.input.grid;
        torch::Tensor x = torch::tensor(clip).view({1, 1, grid[0], grid[1], grid[2]});
        for (const inference::Layer& layer : graph.layers) {
            x = apply(layer, x);
            if (layer.activation == inference::Activation::relu) x = torch::relu(x);
        }
        return x.flatten();
    }
};

void expect_equal_gradients(const Graph& graph, RandomStream& random) {
    std::vector<float> clip;
    for (std::int64_t i = 0; i < graph.input.elements(); ++i)
        clip.push_back(float(random.normal()));
    const float slopes[] = {1.5F, -0.5F};
    TorchChain chain;
    (chain.run(graph, clip) * torch::tensor({1.5F, -0.5F})).sum().backward();
    Network network(graph, 0);
    (void)network.forward(clip.data());
    network.backward(slopes);
    const auto expect_near = [&](const torch::Tensor& expected, std::size_t first,
                                 std::size_t layer) {
        const double largest = expected.abs().max().item<double>();
        ASSERT_GT(largest, 0) << "layer " << layer;
        for (std::int64_t i = 0; i < expected.numel(); ++i)
            ASSERT_NEAR(network.gradients()[first + std::size_t(i)], expected[i].item<double>(),
                        1e-4 * largest)
                << "layer " << layer << ", " << i;
    };
    for (std::size_t i = 0; i < graph.layers.size(); ++i) {
        const Network::Place place = network.place_of(i);
        if (place.weight_count == 0) continue;
        expect_near(chain.weights[i].grad(), place.weights, i);
        expect_near(chain.biases[i].grad(), place.biases, i);
    }
}

TEST(Adaptation, GradientsAreLibTorchs) {
    RandomStream random(1, "torch");
    for (int i = 0; i < 20; ++i) {
        expect_equal_gradients(all_layers(random), random);
        if (HasFatalFailure()) FAIL() << i;
    }
}

TEST(Adaptation, GradientsOfACnn3dAreLibTorchs) {
    RandomStream random(2, "torch");
    const Graph graph =
        chain({1, {8, 20, 20}},
              {float_convolution(random, 1, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, true),
               pool_of({2, 2, 2}),
               float_convolution(random, 16, 24, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, true),
               pool_of({2, 2, 2}), mean_layer(), linear_of(random, 24, 16, true),
               linear_of(random, 16, 2, false)});
    expect_equal_gradients(graph, random);
}

}  // namespace
}  // namespace edgeloop::adaptation::adaptation_test
