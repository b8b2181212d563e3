#pragma once

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/inference/graph.hpp"
#include "edgeloop/inference/reference.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace edgeloop::inference {

/// Puts layers one after the other, with random weights.
class GraphMaker {
  public:
    GraphMaker(RandomStream& random, const Shape& clip, const Elements& elements)
        : random_(random) {
        graph_.input = clip;
        graph_.input_elements = elements;
        kind_ = {clip, elements};
    }

    /// @param bits  of activations that come out; 0: float.
    struct Low {
        int weight_bits = 0, bits = 0;
        WeightGrid grid = WeightGrid::integers;
    };

    void convolve(Operation operation, int outputs, const Triple& kernel, const Triple& stride,
                  const Low& low, int residual = -1) {
        Layer layer;
        layer.operation = operation;
        layer.outputs = outputs;
        layer.kernel = kernel;
        layer.stride = stride;
        for (std::size_t d = 0; d < 3 && operation != Operation::linear; ++d) {
            layer.before[d] = (kernel[d] - 1) / 2;
            layer.after[d] = kernel[d] / 2;
        }
        const std::int64_t window = std::int64_t{kernel[0]} * kernel[1] * kernel[2];
        const std::int64_t fan_in = operation == Operation::linear ? kind_.shape.elements()
                                    : operation == Operation::depthwise
                                        ? window
                                        : window * kind_.shape.channels;
        if (low.weight_bits == 0)
            add_floats(layer, fan_in);
        else
            add_integers(layer, fan_in, low, residual);
        if (low.weight_bits == 0) {
            constexpr Activation some[] = {Activation::none, Activation::relu, Activation::relu,
                                           Activation::silu, Activation::sigmoid};
            layer.activation = some[random_.below(5)];
        }
        add(layer);
    }

    void norm() {
        Layer layer;
        layer.operation = Operation::norm;
        layer.epsilon = 1e-5F;
        do layer.groups = 1 + int(random_.below(8));
        while (kind_.shape.channels % layer.groups != 0);
        layer.weights = floats(kind_.shape.channels, 1);
        layer.bias = floats(kind_.shape.channels, 1);
        constexpr Activation some[] = {Activation::none, Activation::relu, Activation::silu};
        layer.activation = some[random_.below(3)];
        add(layer);
    }

    void max_pool(const Triple& kernel) {
        Layer layer;
        layer.operation = Operation::max_pool;
        for (std::size_t d = 0; d < 3; ++d)
            layer.kernel[d] = std::min(kernel[d], kind_.shape.grid[d]);
        add(layer);
    }

    void mean(int bits) {
        Layer layer;
        layer.operation = Operation::mean;
        if (!kind_.elements.are_real()) {
            layer.integer.weight_bits = 1;
            layer.integer.output_bits = bits;
            const double sums =
                double(kind_.shape.positions()) * activation_range(kind_.elements.bits).high;
            layer.integer.ratios.assign(std::size_t(kind_.shape.channels),
                                        dyadic_of(activation_range(bits).high / sums));
        }
        add(layer);
    }

    void binary(Operation operation, int second) {
        Layer layer;
        layer.operation = operation;
        layer.second = second;
        if (operation == Operation::add && random_.chance(0.5)) layer.activation = Activation::relu;
        add(layer);
    }

    void quantise(int bits, float scale) {
        Layer layer;
        layer.operation = Operation::quantise;
        layer.bits = bits;
        layer.scale = scale;
        add(layer);
    }
    void dequantise(float scale) {
        Layer layer;
        layer.operation = Operation::dequantise;
        layer.scale = scale;
        add(layer);
    }

    /// The tensor that the next layer reads.
    [[nodiscard]] int tensor() const { return int(graph_.layers.size()); }
    [[nodiscard]] const TensorKind& kind() const { return kind_; }
    [[nodiscard]] Graph take() { return std::move(graph_); }

  private:
    void add(Layer layer) {
        layer.input = tensor();
        const bool is_real = layer.operation == Operation::quantise     ? false
                             : layer.operation == Operation::dequantise ? true
                             : layer.integer.weight_bits != 0 ? layer.integer.output_bits == 0
                                                              : kind_.elements.are_real();
        graph_.layers.push_back(std::move(layer));
        Graph whole = graph_;  // a network's result is float
        Layer end;
        end.operation = Operation::dequantise;
        end.input = tensor();
        if (!is_real) whole.layers.push_back(end);
        kind_ = kinds_of(whole)[graph_.layers.size()];
    }

    [[nodiscard]] std::vector<float> floats(std::int64_t count, double deviation) {
        std::vector<float> list(static_cast<std::size_t>(count));
        for (float& value : list) value = float(deviation * random_.normal());
        return list;
    }

    void add_floats(Layer& layer, std::int64_t fan_in) {
        layer.weights = floats(fan_in * layer.outputs, std::sqrt(1.5 / double(fan_in)));
        if (random_.chance(0.8)) layer.bias = floats(layer.outputs, 0.3);
    }

    void add_integers(Layer& layer, std::int64_t fan_in, const Low& low, int residual) {
        Quantisation& integer = layer.integer;
        integer.weight_bits = low.weight_bits;
        integer.grid = low.grid;
        const IntegerRange range = weight_range(low.weight_bits, low.grid);
        const int step = weight_step(low.weight_bits, low.grid);
        const auto values = std::uint64_t((range.high - range.low) / step + 1);
        integer.weights.resize(std::size_t(fan_in * layer.outputs));
        for (std::int16_t& q : integer.weights)
            q = std::int16_t(range.low + step * int(random_.below(values)));
        const double spread =
            std::sqrt(double(fan_in)) * range.high * activation_range(kind_.elements.bits).high;
        for (int c = 0; c < layer.outputs; ++c)
            integer.bias.push_back(std::int32_t(0.1 * spread * random_.normal()));
        integer.output_bits = low.bits;
        if (low.bits == 0) {
            for (int c = 0; c < layer.outputs; ++c)
                integer.scales.push_back(float(random_.uniform(0.1, 1) / spread));
            return;
        }
        layer.second = residual;
        for (int c = 0; c < layer.outputs; ++c) {
            const double ratio = activation_range(low.bits).high / spread * random_.uniform(0.5, 3);
            const DyadicPair pair = dyadics_of(ratio, residual < 0 ? 0 : random_.uniform(0.1, 1));
            integer.ratios.push_back(pair.first);
            if (residual >= 0) integer.residual.push_back(pair.second_multiplier);
        }
    }

    RandomStream& random_;
    Graph graph_;
    TensorKind kind_;
};

inline Values random_clip(RandomStream& random, const Graph& graph) {
    Values clip;
    for (std::int64_t i = 0; i < graph.input.elements(); ++i)
        if (graph.input_elements.are_real())
            clip.real.push_back(float(random.normal()));
        else
            clip.integers.push_back(std::uint8_t(random.below(256)));
    return clip;
}

inline int one_of(RandomStream& random, std::initializer_list<int> values) {
    return values.begin()[random.below(values.size())];
}

inline Triple random_triple(RandomStream& random, std::initializer_list<int> values) {
    return {one_of(random, values), one_of(random, values), one_of(random, values)};
}

/// Convolutions, depthwise ones with residuals, pools, a mean and linear layers of random bits.
inline Graph random_integer_graph(RandomStream& random) {
    const Shape clip{1,
                     {one_of(random, {1, 2, 4, 5}), one_of(random, {1, 5, 8, 13, 17}),
                      one_of(random, {1, 5, 8, 13, 17})}};
    GraphMaker maker(random, clip, {input_bits, one_of(random, {0, 115, 255})});
    const auto low = [&](bool is_last = false) {
        return GraphMaker::Low{1 + int(random.below(8)),
                               is_last ? 0 : one_of(random, {1, 2, 3, 4, 8}),
                               random.chance(0.5) ? WeightGrid::odd : WeightGrid::integers};
    };
    const auto channels = [&] { return one_of(random, {1, 3, 8, 13, 16, 24, 33}); };
    maker.convolve(Operation::convolution, channels(), random_triple(random, {1, 2, 3, 5}),
                   random_triple(random, {1, 1, 2}), low());
    for (std::uint64_t i = random.below(3); i > 0; --i) {
        if (random.chance(0.4)) maker.max_pool(random_triple(random, {1, 2, 3}));
        if (random.chance(0.4)) {
            const int before = maker.tensor();
            const int width = maker.kind().shape.channels;
            maker.convolve(Operation::depthwise, width, random_triple(random, {1, 3}), {1, 1, 1},
                           low());
            maker.convolve(Operation::convolution, width, {1, 1, 1}, {1, 1, 1}, low(),
                           random.chance(0.6) ? before : -1);
        }
        maker.convolve(Operation::convolution, channels(), random_triple(random, {1, 2, 3}),
                       random_triple(random, {1, 1, 2}), low());
    }
    if (random.chance(0.5)) maker.mean(one_of(random, {4, 8}));
    if (random.chance(0.5))
        maker.convolve(Operation::linear, channels(), {1, 1, 1}, {1, 1, 1}, low());
    maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, low(true));
    return maker.take();
}

/// The layers of cnn3d and mbconv3d in random order.
inline Graph random_float_graph(RandomStream& random) {
    const Shape clip{1,
                     {one_of(random, {1, 2, 4, 5}), one_of(random, {1, 5, 8, 13, 17}),
                      one_of(random, {1, 5, 8, 13, 17})}};
    GraphMaker maker(random, clip, {});
    const auto channels = [&] { return one_of(random, {1, 3, 8, 13, 16, 24, 33}); };
    maker.convolve(Operation::convolution, channels(), random_triple(random, {1, 2, 3, 5}),
                   random_triple(random, {1, 1, 2}), {});
    for (std::uint64_t i = random.below(3); i > 0; --i) {
        if (random.chance(0.6)) maker.norm();
        if (random.chance(0.4)) maker.max_pool(random_triple(random, {1, 2, 3}));
        if (random.chance(0.5)) {
            const int before = maker.tensor(), width = maker.kind().shape.channels;
            maker.convolve(Operation::depthwise, width, random_triple(random, {1, 3, 5}), {1, 1, 1},
                           {});
            if (random.chance(0.5)) maker.norm();
            if (random.chance(0.6)) maker.binary(Operation::add, before);
        }
        if (random.chance(0.2)) {
            maker.quantise(one_of(random, {4, 8}), 0.1F);
            maker.dequantise(0.1F);
        }
        maker.convolve(Operation::convolution, channels(), random_triple(random, {1, 2, 3}),
                       random_triple(random, {1, 1, 2}), {});
    }
    if (random.chance(0.6)) maker.mean(0);
    maker.convolve(Operation::linear, channels(), {1, 1, 1}, {1, 1, 1}, {});
    maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {});
    return maker.take();
}

}  // namespace edgeloop::inference
