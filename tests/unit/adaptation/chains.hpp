#pragma once

#include "unit/inference/random_graphs.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace edgeloop::adaptation {

using inference::Graph;
using inference::GraphMaker;
using inference::Layer;
using inference::Operation;
using inference::Triple;

inline Layer float_convolution(RandomStream& random, int inputs, int outputs, const Triple& kernel,
                               const Triple& stride, const Triple& before, const Triple& after,
                               bool has_relu) {
    Layer layer;
    layer.outputs = outputs;
    layer.kernel = kernel;
    layer.stride = stride;
    layer.before = before;
    layer.after = after;
    const int fan_in = inputs * kernel[0] * kernel[1] * kernel[2];
    for (int i = 0; i < outputs * fan_in; ++i)
        layer.weights.push_back(float(random.normal() * std::sqrt(2.0 / fan_in)));
    for (int i = 0; i < outputs; ++i) layer.bias.push_back(float(0.1 * random.normal()));
    if (has_relu) layer.activation = inference::Activation::relu;
    return layer;
}

/// Numbers layers, each of which reads the one before.
inline Graph chain(const inference::Shape& clip, std::vector<Layer> layers) {
    Graph graph;
    graph.input = clip;
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i].input = int(i);
    graph.layers = std::move(layers);
    return graph;
}

inline Layer pool_of(const Triple& window) {
    Layer layer;
    layer.operation = Operation::max_pool;
    layer.kernel = window;
    return layer;
}

inline Layer norm_of(RandomStream& random, int channels, int groups) {
    Layer layer;
    layer.operation = Operation::norm;
    layer.groups = groups;
    layer.epsilon = 1e-5F;
    layer.activation = inference::Activation::relu;
    for (int i = 0; i < channels; ++i) {
        layer.weights.push_back(float(1 + 0.2 * random.normal()));
        layer.bias.push_back(float(0.2 * random.normal()));
    }
    return layer;
}

inline Layer linear_of(RandomStream& random, int inputs, int outputs, bool has_relu) {
    Layer layer = float_convolution(random, inputs, outputs, {1, 1, 1}, {1, 1, 1}, {0, 0, 0},
                                    {0, 0, 0}, has_relu);
    layer.operation = Operation::linear;
    return layer;
}

inline Layer mean_layer() {
    Layer layer;
    layer.operation = Operation::mean;
    return layer;
}

/// A dense stage, a chain of a tensor train with strides, a depthwise layer, a norm; pools that
/// leave something over.
inline Graph all_layers(RandomStream& random) {
    return chain(
        {1, {6, 9, 11}},
        {float_convolution(random, 1, 5, {3, 3, 2}, {1, 1, 1}, {1, 1, 0}, {1, 1, 1}, true),
         pool_of({1, 2, 2}),
         // A tensor train: no activation between its cores.
         float_convolution(random, 5, 3, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, false),
         float_convolution(random, 3, 3, {3, 1, 1}, {2, 1, 1}, {1, 0, 0}, {1, 0, 0}, false),
         float_convolution(random, 3, 2, {1, 3, 1}, {1, 1, 1}, {0, 1, 0}, {0, 1, 0}, false),
         float_convolution(random, 2, 3, {1, 1, 3}, {1, 1, 2}, {0, 0, 1}, {0, 0, 1}, false),
         float_convolution(random, 3, 6, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, false),
         norm_of(random, 6, 2), pool_of({3, 1, 1}),
         [&] {
             Layer layer =
                 float_convolution(random, 1, 6, {1, 3, 3}, {1, 2, 1}, {0, 1, 1}, {0, 1, 1}, true);
             layer.operation = Operation::depthwise;
             return layer;
         }(),
         linear_of(random, 36, 7, true), linear_of(random, 7, 2, false)});
}

}  // namespace edgeloop::adaptation
