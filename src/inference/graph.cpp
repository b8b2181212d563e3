#include "edgeloop/inference/graph.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace edgeloop::inference {
namespace {

constexpr std::int32_t max_extent = 1 << 20;

/// Checks one layer after the other against the tensors so far.
class Checker {
  public:
    [[nodiscard]] std::vector<TensorKind> run(const Graph& graph) && {
        index_ = 0;
        require(!graph.layers.empty(), "there are no layers");
        require(graph.input.channels == 1, "a clip has one channel");
        const Elements& clip = graph.input_elements;
        require(clip.are_real()
                    ? clip.zero == 0
                    : clip.bits == input_bits && activation_range(input_bits).has(clip.zero),
                "a clip is float, or of 8 bits");
        add({graph.input, clip});
        for (const Layer& layer : graph.layers) {
            layer_ = &layer;
            require(static_cast<unsigned>(layer.operation) < operations &&
                        static_cast<unsigned>(layer.activation) < activations,
                    "it is of no known kind");
            name_ = to_string(layer.operation);
            const TensorKind& input = tensor(layer.input);
            require(clip_is_read_well(layer), "it reads a clip of bytes");
            add(result(layer, input));
            ++index_;
        }
        require(kinds_.back().elements.are_real(), "a network's result is float");
        return std::move(kinds_);
    }

  private:
    void require(bool holds, const char* what) const {
        if (holds) return;
        throw ConfigError(fmt::format("layer {} ({}) is none that can run", index_, name_), what);
    }

    [[nodiscard]] const TensorKind& tensor(std::int32_t index) const {
        require(index >= 0 && static_cast<std::size_t>(index) < kinds_.size(),
                "it reads what no earlier layer makes");
        return kinds_[static_cast<std::size_t>(index)];
    }

    /// Only these know of a zero point.
    [[nodiscard]] bool clip_is_read_well(const Layer& layer) const {
        if (tensor(layer.input).elements.zero == 0) return true;
        return layer.operation == Operation::convolution ||
               layer.operation == Operation::depthwise || layer.operation == Operation::linear ||
               layer.operation == Operation::dequantise;
    }

    void add(const TensorKind& kind) {
        std::int64_t elements = kind.shape.channels;
        require(elements >= 1 && elements <= max_elements,
                "its result has no channels, or too many");
        for (const std::int32_t extent : kind.shape.grid) {
            require(extent >= 1 && extent <= max_extent, "its result is empty, or too large");
            elements *= extent;
            require(elements <= max_elements, "its result is too large");
        }
        total_ += elements;
        require(total_ <= max_elements, "all results together are too large");
        kinds_.push_back(kind);
    }

    [[nodiscard]] TensorKind result(const Layer& layer, const TensorKind& input) {
        const bool may_have_second = layer.operation == Operation::add ||
                                     layer.operation == Operation::scale_channels ||
                                     layer.integer.weight_bits != 0;
        require(layer.second == -1 || may_have_second, "it reads a second tensor");
        switch (layer.operation) {
            case Operation::convolution:
            case Operation::depthwise:
            case Operation::linear:
                return weighted(layer, input);
            case Operation::norm:
                return normed(layer, input);
            case Operation::max_pool:
                return {{input.shape.channels, pooled(layer, input.shape.grid)}, input.elements};
            case Operation::mean:
                return averaged(layer, input);
            case Operation::add:
                require(
                    layer.activation == Activation::none || layer.activation == Activation::relu,
                    "its activation is not ReLU");
                require_real(input);
                require_real(tensor(layer.second));
                require(tensor(layer.second).shape == input.shape, "its tensors differ in shape");
                return input;
            case Operation::scale_channels:
                require_real(input);
                require_real(tensor(layer.second));
                require(tensor(layer.second).shape == Shape{input.shape.channels, {1, 1, 1}},
                        "it does not have one number a channel");
                return input;
            case Operation::quantise:
                require_real(input);
                require_scale(layer.scale);
                require(is_activation_bits(layer.bits), "there are no activations of such bits");
                return {input.shape, {layer.bits, 0}};
            case Operation::dequantise:
                require(!input.elements.are_real(), "its input is float");
                require_scale(layer.scale);
                return {input.shape, {}};
        }
        return input;
    }

    void require_real(const TensorKind& kind) const {
        require(kind.elements.are_real(), "its input is not float");
    }
    void require_scale(float scale) const {
        require(std::isfinite(scale) && scale > 0, "its scale is not positive");
    }

    [[nodiscard]] Triple pooled(const Layer& layer, const Triple& grid) const {
        Triple result{};
        for (std::size_t d = 0; d < 3; ++d) {
            require(layer.kernel[d] >= 1 && layer.kernel[d] <= grid[d],
                    "its window is larger than its input");
            result[d] = grid[d] / layer.kernel[d];
        }
        return result;
    }

    [[nodiscard]] Triple convolved(const Layer& layer, const Triple& grid) const {
        Triple result{};
        for (std::size_t d = 0; d < 3; ++d) {
            const auto within = [](std::int32_t value, std::int32_t low) {
                return value >= low && value <= max_extent;
            };
            require(within(layer.kernel[d], 1) && within(layer.stride[d], 1) &&
                        within(layer.before[d], 0) && within(layer.after[d], 0) &&
                        layer.before[d] < layer.kernel[d] && layer.after[d] < layer.kernel[d],
                    "its kernel, stride or padding cannot be");
            const std::int32_t room = grid[d] + layer.before[d] + layer.after[d] - layer.kernel[d];
            require(room >= 0, "its kernel is larger than its input");
            result[d] = room / layer.stride[d] + 1;
        }
        return result;
    }

    [[nodiscard]] TensorKind weighted(const Layer& layer, const TensorKind& input) {
        Shape shape = input.shape;
        std::int64_t fan_in = shape.elements();
        std::int64_t outputs = layer.outputs;
        require(outputs >= 1, "it has no outputs");
        if (layer.operation == Operation::linear) {
            shape = {layer.outputs, {1, 1, 1}};
        } else {
            const bool is_depthwise = layer.operation == Operation::depthwise;
            require(!is_depthwise || outputs == input.shape.channels,
                    "it has other outputs than channels");
            fan_in = is_depthwise ? 1 : shape.channels;
            shape = {layer.outputs, convolved(layer, input.shape.grid)};
            for (const std::int32_t extent : layer.kernel) {
                fan_in *= extent;
                require(fan_in <= max_elements, "it has too many weights");
            }
        }
        require(fan_in <= max_elements / outputs, "it has too many weights");
        const auto weights = static_cast<std::size_t>(fan_in * outputs);
        if (layer.integer.weight_bits == 0) {
            require_real(input);
            require(layer.weights.size() == weights,
                    "its weights are not as many as its shape says");
            require(layer.bias.empty() || layer.bias.size() == static_cast<std::size_t>(outputs),
                    "its biases are not as many as its outputs");
            return {shape, {}};
        }
        require(layer.integer.weights.size() == weights,
                "its weights are not as many as its shape says");
        check_weights(layer, input);
        return integer_result(layer, input, shape);
    }

    /// Each weight in its grid, and no sum above 31 bits.
    void check_weights(const Layer& layer, const TensorKind& input) const {
        const Quantisation& integer = layer.integer;
        require(is_weight_bits(integer.weight_bits) && integer.grid <= WeightGrid::odd,
                "there are no weights of such bits");
        require(!input.elements.are_real(), "its input is float");
        require(integer.bias.size() == static_cast<std::size_t>(layer.outputs),
                "its biases are not as many as its outputs");
        const std::size_t fan_in = integer.weights.size() / integer.bias.size();
        const std::int64_t most = activation_range(input.elements.bits).high;
        for (std::size_t c = 0; c < integer.bias.size(); ++c) {
            std::int64_t sum = 0;
            for (std::size_t i = c * fan_in; i < (c + 1) * fan_in; ++i) {
                const int q = integer.weights[i];
                require(is_weight(q, integer.weight_bits, integer.grid),
                        "a weight is none of its grid");
                sum += std::abs(q);
            }
            require(sum * most + std::abs(std::int64_t{integer.bias[c]}) < std::int64_t{1} << 31,
                    "its sums do not fit 32 bits");
        }
    }

    [[nodiscard]] TensorKind integer_result(const Layer& layer, const TensorKind& input,
                                            const Shape& shape) const {
        const Quantisation& integer = layer.integer;
        const auto outputs = static_cast<std::size_t>(shape.channels);
        const bool may_be_relu = integer.output_bits == 0 && layer.activation == Activation::relu;
        require(layer.activation == Activation::none || may_be_relu,
                "an integer layer has no activation but ReLU, of float results");
        require(input.elements.zero == 0 || layer.operation != Operation::mean, "it reads a clip");
        if (integer.output_bits == 0) {
            require(layer.second == -1, "it reads a second tensor");
            require(integer.scales.size() == outputs, "its scales are not as many as its outputs");
            for (const float scale : integer.scales) require_scale(scale);
            return {shape, {}};
        }
        require(is_activation_bits(integer.output_bits), "there are no activations of such bits");
        require(integer.ratios.size() == outputs &&
                    std::all_of(integer.ratios.begin(), integer.ratios.end(), is_dyadic),
                "its multipliers and shifts cannot be");
        require(integer.residual.size() == (layer.second == -1 ? 0 : outputs) &&
                    std::all_of(integer.residual.begin(), integer.residual.end(),
                                [](std::int32_t multiplier) { return multiplier >= 0; }),
                "its residual's multipliers cannot be");
        if (layer.second != -1) {
            const TensorKind& residual = tensor(layer.second);
            require(layer.operation != Operation::mean, "it reads a second tensor");
            require(!residual.elements.are_real() && residual.elements.zero == 0 &&
                        residual.shape == shape,
                    "its residual is float, or of another shape");
        }
        return {shape, {integer.output_bits, 0}};
    }

    [[nodiscard]] TensorKind averaged(const Layer& layer, const TensorKind& input) const {
        const Shape shape{input.shape.channels, {1, 1, 1}};
        require(layer.activation == Activation::none, "a mean has no activation");
        if (layer.integer.weight_bits == 0) {
            require_real(input);
            return {shape, {}};
        }
        require(layer.integer.weight_bits == 1 && !input.elements.are_real(), "its input is float");
        require(layer.integer.bias.empty() && layer.integer.weights.empty(),
                "a mean has no weights");
        require(input.shape.positions() * activation_range(input.elements.bits).high <
                    std::int64_t{1} << 31,
                "its sums do not fit 32 bits");
        return integer_result(layer, input, shape);
    }

    [[nodiscard]] TensorKind normed(const Layer& layer, const TensorKind& input) const {
        require_real(input);
        const auto channels = static_cast<std::size_t>(input.shape.channels);
        require(layer.groups >= 1 && input.shape.channels % layer.groups == 0,
                "its groups do not divide its channels");
        require(layer.weights.size() == channels && layer.bias.size() == channels,
                "its weights are not as many as its channels");
        require(std::isfinite(layer.epsilon) && layer.epsilon > 0, "its epsilon is not positive");
        return input;
    }

    std::size_t index_ = 0;
    const Layer* layer_ = nullptr;
    const char* name_ = "clip";
    std::vector<TensorKind> kinds_;
    std::int64_t total_ = 0;
};

}  // namespace

const char* to_string(Operation operation) {
    constexpr const char* names[operations] = {
        "convolution", "depthwise convolution", "linear",   "norm",      "max-pool", "mean",
        "add",         "channel weights",       "quantise", "dequantise"};
    return names[static_cast<std::size_t>(operation)];
}

std::vector<TensorKind> kinds_of(const Graph& graph) { return Checker().run(graph); }

std::int64_t stored_bytes(const Graph& graph) {
    std::size_t bytes = 0;
    for (const Layer& layer : graph.layers) {
        const Quantisation& integer = layer.integer;
        bytes += sizeof(float) * (layer.weights.size() + layer.bias.size() + integer.bias.size());
        bytes += (integer.weights.size() * static_cast<std::size_t>(integer.weight_bits) + 7) / 8;
    }
    return static_cast<std::int64_t>(bytes);
}

std::int64_t parameters(const Graph& graph) {
    std::size_t count = 0;
    for (const Layer& layer : graph.layers)
        count += layer.weights.size() + layer.bias.size() + layer.integer.weights.size() +
                 layer.integer.bias.size();
    return static_cast<std::int64_t>(count);
}

}  // namespace edgeloop::inference
