#include "edgeloop/inference/reference.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop::inference {
namespace {

double activated(Activation activation, double x) {
    switch (activation) {
        case Activation::none:
            return x;
        case Activation::relu:
            return std::max(x, 0.0);
        case Activation::silu:
            return x / (1 + std::exp(-x));
        case Activation::sigmoid:
            return 1 / (1 + std::exp(-x));
    }
    return x;
}

std::size_t at(const Shape& shape, int t, int h, int w, int c) {
    return static_cast<std::size_t>(
        ((std::int64_t{t} * shape.grid[1] + h) * shape.grid[2] + w) * shape.channels + c);
}

/// Calls visit(t, h, w) for all positions.
template <class Visit>
void for_positions(const Triple& grid, const Visit& visit) {
    for (int t = 0; t < grid[0]; ++t)
        for (int h = 0; h < grid[1]; ++h)
            for (int w = 0; w < grid[2]; ++w) visit(t, h, w);
}

/// One layer at work.
class Evaluation {
  public:
    Evaluation(const Layer& layer, const std::vector<TensorKind>& kinds,
               const std::vector<Values>& values, std::size_t result)
        : layer_(layer),
          kind_(kinds[result]),
          input_kind_(kinds[static_cast<std::size_t>(layer.input)]),
          input_(values[static_cast<std::size_t>(layer.input)]),
          second_(values[static_cast<std::size_t>(std::max(layer.second, 0))]) {
        const auto size = static_cast<std::size_t>(kind_.shape.elements());
        if (kind_.elements.are_real())
            result_.real.resize(size);
        else
            result_.integers.resize(size);
    }

    [[nodiscard]] Values run() && {
        switch (layer_.operation) {
            case Operation::convolution:
            case Operation::depthwise:
            case Operation::linear:
                weigh();
                break;
            case Operation::norm:
                normalise();
                break;
            case Operation::max_pool:
                pool();
                break;
            case Operation::mean:
                average();
                break;
            default:
                map();
        }
        return std::move(result_);
    }

  private:
    [[nodiscard]] bool is_integer() const { return layer_.integer.weight_bits != 0; }

    /// Sum of one output channel over the window at (t, h, w), in float or in integers.
    template <class Sum, class Weight, class Input>
    [[nodiscard]] Sum window(const std::vector<Weight>& weights, const std::vector<Input>& input,
                             int t, int h, int w, int channel) const {
        const Shape& shape = input_kind_.shape;
        const bool is_depthwise = layer_.operation == Operation::depthwise;
        const int inputs = is_depthwise ? 1 : shape.channels;
        const Triple& kernel = layer_.kernel;
        auto weight =
            weights.begin() + std::ptrdiff_t{channel} * inputs * kernel[0] * kernel[1] * kernel[2];
        Sum sum = 0;
        for_positions(kernel, [&](int dt, int dh, int dw) {
            const int y = t * layer_.stride[0] - layer_.before[0] + dt;
            const int z = h * layer_.stride[1] - layer_.before[1] + dh;
            const int x = w * layer_.stride[2] - layer_.before[2] + dw;
            const bool is_inside = y >= 0 && y < shape.grid[0] && z >= 0 && z < shape.grid[1] &&
                                   x >= 0 && x < shape.grid[2];
            for (int c = 0; c < inputs; ++c, ++weight) {
                const Sum value = is_inside
                                      ? Sum(input[at(shape, y, z, x, is_depthwise ? channel : c)])
                                      : Sum(input_kind_.elements.zero);
                sum += Sum(*weight) * value;
            }
        });
        return sum;
    }

    template <class Sum, class Weight, class Input>
    [[nodiscard]] Sum product(const std::vector<Weight>& weights, const std::vector<Input>& input,
                              int channel) const {
        Sum sum = 0;
        for (std::size_t i = 0; i < input.size(); ++i)
            sum +=
                Sum(weights[static_cast<std::size_t>(channel) * input.size() + i]) * Sum(input[i]);
        return sum;
    }

    void weigh() {
        const bool is_linear = layer_.operation == Operation::linear;
        for_positions(kind_.shape.grid, [&](int t, int h, int w) {
            for (int c = 0; c < kind_.shape.channels; ++c) {
                const std::size_t place = at(kind_.shape, t, h, w, c);
                const auto channel = static_cast<std::size_t>(c);
                if (is_integer()) {
                    const Quantisation& integer = layer_.integer;
                    const auto sum =
                        is_linear
                            ? product<std::int32_t>(integer.weights, input_.integers, c)
                            : window<std::int32_t>(integer.weights, input_.integers, t, h, w, c);
                    finish(sum + integer.bias[channel], place, channel);
                } else {
                    const double sum =
                        is_linear ? product<double>(layer_.weights, input_.real, c)
                                  : window<double>(layer_.weights, input_.real, t, h, w, c);
                    const double bias = layer_.bias.empty() ? 0 : double(layer_.bias[channel]);
                    result_.real[place] =
                        static_cast<float>(activated(layer_.activation, sum + bias));
                }
            }
        });
    }

    void finish(std::int32_t accumulator, std::size_t place, std::size_t channel) {
        const Quantisation& integer = layer_.integer;
        const int bits = integer.output_bits;
        if (bits == 0)
            result_.real[place] = static_cast<float>(
                activated(layer_.activation, output_value(accumulator, integer.scales[channel])));
        else if (layer_.second == -1)
            result_.integers[place] = requantise(accumulator, integer.ratios[channel], bits);
        else
            result_.integers[place] =
                requantise(accumulator, integer.ratios[channel], second_.integers[place],
                           integer.residual[channel], bits);
    }

    void normalise() {
        const Shape& shape = kind_.shape;
        const int width = shape.channels / layer_.groups;
        for (int group = 0; group < layer_.groups; ++group) {
            double sum = 0, squares = 0;
            const auto count = static_cast<double>(shape.positions() * width);
            const auto visit = [&](const auto& body) {
                for_positions(shape.grid, [&](int t, int h, int w) {
                    for (int c = group * width; c < (group + 1) * width; ++c)
                        body(at(shape, t, h, w, c), static_cast<std::size_t>(c));
                });
            };
            visit([&](std::size_t place, std::size_t) { sum += double(input_.real[place]); });
            const double mean = sum / count;
            visit([&](std::size_t place, std::size_t) {
                squares +=
                    (double(input_.real[place]) - mean) * (double(input_.real[place]) - mean);
            });
            const double inverse = 1 / std::sqrt(squares / count + double(layer_.epsilon));
            visit([&](std::size_t place, std::size_t c) {
                const double x = (double(input_.real[place]) - mean) * inverse;
                result_.real[place] = static_cast<float>(activated(
                    layer_.activation, x * double(layer_.weights[c]) + double(layer_.bias[c])));
            });
        }
    }

    template <class Value>
    void pool(const std::vector<Value>& input, std::vector<Value>& result) const {
        for_positions(kind_.shape.grid, [&](int t, int h, int w) {
            for (int c = 0; c < kind_.shape.channels; ++c) {
                const Triple& k = layer_.kernel;
                Value most = input[at(input_kind_.shape, t * k[0], h * k[1], w * k[2], c)];
                for_positions(k, [&](int dt, int dh, int dw) {
                    most = std::max(most, input[at(input_kind_.shape, t * k[0] + dt, h * k[1] + dh,
                                                   w * k[2] + dw, c)]);
                });
                result[at(kind_.shape, t, h, w, c)] = most;
            }
        });
    }
    void pool() {
        if (kind_.elements.are_real())
            pool(input_.real, result_.real);
        else
            pool(input_.integers, result_.integers);
    }

    void average() {
        const auto channels = static_cast<std::size_t>(kind_.shape.channels);
        for (std::size_t c = 0; c < channels; ++c) {
            double sum = 0;
            std::int32_t integers = 0;
            for (std::size_t i = c; i < input_.real.size(); i += channels)
                sum += double(input_.real[i]);
            for (std::size_t i = c; i < input_.integers.size(); i += channels)
                integers += input_.integers[i];
            if (is_integer())
                finish(integers, c, c);
            else
                result_.real[c] =
                    static_cast<float>(sum / static_cast<double>(input_kind_.shape.positions()));
        }
    }

    void map() {
        const auto channels = static_cast<std::size_t>(kind_.shape.channels);
        const auto size = static_cast<std::size_t>(kind_.shape.elements());
        for (std::size_t i = 0; i < size; ++i) {
            if (layer_.operation == Operation::quantise)
                result_.integers[i] = static_cast<std::uint8_t>(nearest_activation(
                    double(input_.real[i] * (1 / layer_.scale)), kind_.elements.bits));
            else if (layer_.operation == Operation::dequantise)
                result_.real[i] =
                    static_cast<float>(input_.integers[i] - input_kind_.elements.zero) *
                    layer_.scale;
            else if (layer_.operation == Operation::add)
                result_.real[i] = static_cast<float>(
                    activated(layer_.activation, double(input_.real[i] + second_.real[i])));
            else
                result_.real[i] = input_.real[i] * second_.real[i % channels];
        }
    }

    const Layer& layer_;
    const TensorKind& kind_;
    const TensorKind& input_kind_;
    const Values& input_;
    const Values& second_;
    Values result_;
};

}  // namespace

std::vector<Values> evaluate(const Graph& graph, Values clip) {
    const std::vector<TensorKind> kinds = kinds_of(graph);
    const auto size = static_cast<std::size_t>(graph.input.elements());
    const bool is_real = graph.input_elements.are_real();
    if (clip.real.size() != (is_real ? size : 0) || clip.integers.size() != (is_real ? 0 : size))
        throw ConfigError("the clip is not of the size that the network takes");
    std::vector<Values> values;
    values.reserve(kinds.size());
    values.push_back(std::move(clip));
    for (const Layer& layer : graph.layers)
        values.push_back(Evaluation(layer, kinds, values, values.size()).run());
    return values;
}

std::uint8_t clip_integer(float x, float inverse_scale, int zero) {
    return static_cast<std::uint8_t>(
        nearest_activation(std::nearbyint(x * inverse_scale) + double(zero), input_bits));
}

}  // namespace edgeloop::inference
