#include "inference/network_maker.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/factors.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace edgeloop::inference {
namespace {

// What is always 0 has a step next to nothing, and a ratio over it no bounds. From a ratio of 256
// on an accumulator of 1 is beyond any activation, so that larger ones give the same.
constexpr double max_ratio = 256, max_of_pair = 1 << 20;

Dyadic bounded_dyadic(double ratio) { return dyadic_of(std::fmin(ratio, max_ratio)); }

DyadicPair bounded_dyadics(double first, double second) {
    const double excess = std::fmax(1, std::fmax(first, second) / max_of_pair);
    return dyadics_of(first / excess, second / excess);
}

/// Of a norm of the model (model/layers.hpp).
constexpr float norm_epsilon = 1e-5F;

std::vector<std::int64_t> weight_shape(const ConvolutionOfNetwork& convolution, int inputs) {
    const Extent3& k = convolution.kernel;
    return {convolution.outputs, convolution.is_depthwise ? 1 : inputs, k[0], k[1], k[2]};
}

}  // namespace

NetworkMaker::NetworkMaker(const ArchitectureSpec& spec, WeightSource& source) : source_(source) {
    graph_.input = {1, {spec.clip.frames, spec.clip.side, spec.clip.side}};
    flow_.shape = graph_.input;
    flows_.push_back(flow_);
    Json described = spec.to_json();
    described.erase("training");
    graph_.metadata = {
        {"spec", described},
        {"normalisation", {{"mean", spec.clip.mean}, {"deviation", spec.clip.deviation}}}};
}

void NetworkMaker::push(Layer layer, const Flow& flow) {
    graph_.layers.push_back(std::move(layer));
    flow_ = flow;
    flows_.push_back(flow);
}

void NetworkMaker::add(Layer layer, const Flow& flow) {
    layer.input = tensor();
    push(std::move(layer), flow);
}

void NetworkMaker::become_float() {
    if (flow_.bits == 0) return;
    Layer layer;
    layer.operation = Operation::dequantise;
    layer.scale = static_cast<float>(flow_.step);
    add(std::move(layer), {flow_.shape, 0, 1});
}

void NetworkMaker::become_integers(const IntegerLayer& reader) {
    if (flow_.bits == reader.input_bits && flow_.step == reader.input_step) return;
    if (graph_.layers.empty()) {  // the clip: the runtime rounds it
        const auto& clip = graph_.metadata.at("normalisation");
        graph_.input_elements = {input_bits, input_zero_point(clip.at("mean").get<double>())};
        flow_ = {flow_.shape, input_bits, input_scale(clip.at("deviation").get<double>())};
        flows_.front() = flow_;
        return;
    }
    become_float();
    Layer layer;
    layer.operation = Operation::quantise;
    layer.bits = reader.input_bits;
    layer.scale = static_cast<float>(reader.input_step);
    add(std::move(layer), {flow_.shape, reader.input_bits, reader.input_step});
}

void NetworkMaker::round_for(const std::string& reader) {
    if (const auto reads = source_.integers(reader, {})) become_integers(*reads);
}

Layer NetworkMaker::shaped(const ConvolutionOfNetwork& convolution) const {
    Layer layer;
    layer.operation = convolution.is_depthwise ? Operation::depthwise : Operation::convolution;
    layer.outputs = convolution.outputs;
    for (std::size_t d = 0; d < 3; ++d) {
        layer.kernel[d] = convolution.kernel[d];
        layer.stride[d] = convolution.stride[d];
        layer.before[d] = (convolution.kernel[d] - 1) / 2;
        layer.after[d] = convolution.kernel[d] / 2;
    }
    return layer;
}

void NetworkMaker::convolve(const ConvolutionOfNetwork& convolution) {
    if (convolution.factored != nullptr && runs_as_factors(*convolution.factored))
        return convolve_links(convolution);
    const int inputs = flow_.shape.channels;
    Layer layer = shaped(convolution);
    const auto own = source_.integers(convolution.name, weight_shape(convolution, inputs));
    if (!own) return add_float(convolution, std::move(layer));
    become_integers(*own);
    Shape shape{convolution.outputs, flow_.shape.grid};
    for (std::size_t d = 0; d < 3; ++d)
        shape.grid[d] = (shape.grid[d] - 1) / convolution.stride[d] + 1;
    const auto taps = static_cast<std::size_t>(volume(convolution.kernel));
    layer.integer.weights =
        channels_last(own->weights, convolution.is_depthwise ? 1 : std::size_t(inputs), taps);
    // A group norm takes its statistics from floats.
    const bool is_normed = convolution.norm_kind == NormKind::group;
    const bool has_relu = convolution.activation == Activation::relu && !is_normed;
    if (is_normed || (!has_relu && convolution.activation != Activation::none)) {
        add_integer(std::move(layer), *own, Activation::none, "", -1, shape);
        return add_norm(convolution);
    }
    add_integer(std::move(layer), *own, convolution.activation, convolution.reader,
                convolution.residual, shape);
}

void NetworkMaker::add_integer(Layer layer, const IntegerLayer& own, Activation activation,
                               const std::string& reader, int residual, const Shape& shape) {
    Quantisation& integer = layer.integer;
    integer.weight_bits = own.weight_bits;
    integer.grid = own.grid;
    const std::size_t outputs = own.scales.size(), fan_in = integer.weights.size() / outputs;
    const int zero = graph_.layers.empty() ? graph_.input_elements.zero : 0;
    for (std::size_t c = 0; c < outputs; ++c) {
        const auto first = integer.weights.begin() + static_cast<std::ptrdiff_t>(c * fan_in);
        const std::int64_t sum =
            std::accumulate(first, first + static_cast<std::ptrdiff_t>(fan_in), std::int64_t{0});
        // The product of the zero point with all weights, once and for all.
        const std::int64_t bias =
            integer_bias(own.bias[c], own.scales[c] * flow_.step) - zero * sum;
        if (std::abs(bias) > std::numeric_limits<std::int32_t>::max())
            throw ConfigError("a bias does not fit 32 bits", "its scale is too small");
        integer.bias.push_back(static_cast<std::int32_t>(bias));
    }
    std::optional<IntegerLayer> next;
    if (activation == Activation::relu && !reader.empty()) next = source_.integers(reader, {});
    const bool sums_integers = residual < 0 || flows_[static_cast<std::size_t>(residual)].bits != 0;
    if (!next || !sums_integers) {
        for (const double scale : own.scales)
            integer.scales.push_back(static_cast<float>(scale * flow_.step));
        layer.activation = residual < 0 ? activation : Activation::none;
        add(std::move(layer), {shape, 0, 1});
        if (residual < 0) return;
        return add_sum(residual, activation);
    }
    integer.output_bits = next->input_bits;
    layer.second = residual;
    for (std::size_t c = 0; c < outputs; ++c) {
        const double ratio = own.scales[c] * flow_.step / next->input_step;
        if (residual < 0) {
            integer.ratios.push_back(bounded_dyadic(ratio));
            continue;
        }
        const double other = flows_[static_cast<std::size_t>(residual)].step / next->input_step;
        const DyadicPair pair = bounded_dyadics(ratio, other);
        integer.ratios.push_back(pair.first);
        integer.residual.push_back(pair.second_multiplier);
    }
    add(std::move(layer), {shape, next->input_bits, next->input_step});
}

void NetworkMaker::add_float(const ConvolutionOfNetwork& convolution, Layer layer) {
    round_for(convolution.name);
    become_float();
    const int inputs = flow_.shape.channels;
    const auto shape = weight_shape(convolution, inputs);
    const auto taps = static_cast<std::size_t>(volume(convolution.kernel));
    const auto outputs = static_cast<std::size_t>(convolution.outputs);
    layer.weights =
        channels_last(kernel_of(convolution, shape), static_cast<std::size_t>(shape[1]), taps);
    if (convolution.has_bias) layer.bias = bias_of(convolution);
    if (convolution.norm_kind == NormKind::affine) {
        const auto scale = source_.floats(convolution.norm + ".weight", {convolution.outputs});
        const auto shift = source_.floats(convolution.norm + ".bias", {convolution.outputs});
        layer.bias.resize(outputs, 0);
        const std::size_t fan_in = layer.weights.size() / outputs;
        for (std::size_t c = 0; c < outputs; ++c) {
            for (std::size_t i = 0; i < fan_in; ++i) layer.weights[c * fan_in + i] *= scale[c];
            layer.bias[c] = layer.bias[c] * scale[c] + shift[c];
        }
    }
    const bool is_last = convolution.norm_kind != NormKind::group && convolution.residual < 0;
    if (is_last) layer.activation = convolution.activation;
    Shape result{convolution.outputs, flow_.shape.grid};
    for (std::size_t d = 0; d < 3; ++d)
        result.grid[d] = (result.grid[d] - 1) / convolution.stride[d] + 1;
    add(std::move(layer), {result, 0, 1});
    if (convolution.norm_kind == NormKind::group) return add_norm(convolution);
    add_sum(convolution.residual, convolution.activation);
}

void NetworkMaker::add_norm(const ConvolutionOfNetwork& convolution) {
    Layer layer;
    layer.operation = Operation::norm;
    layer.epsilon = norm_epsilon;
    layer.groups = norm_groups(convolution.outputs);
    layer.weights = source_.floats(convolution.norm + ".weight", {convolution.outputs});
    layer.bias = source_.floats(convolution.norm + ".bias", {convolution.outputs});
    if (convolution.residual < 0) layer.activation = convolution.activation;
    add(std::move(layer), flow_);
    add_sum(convolution.residual, convolution.activation);
}

void NetworkMaker::add_sum(int residual, Activation activation) {
    if (residual < 0) return;
    Layer layer;
    layer.operation = Operation::add;
    layer.activation = activation;
    layer.input = tensor();
    layer.second = residual;
    const Flow flow = flow_, other = flows_[static_cast<std::size_t>(residual)];
    if (other.bits != 0) {
        Layer dequantise;
        dequantise.operation = Operation::dequantise;
        dequantise.input = residual;
        dequantise.scale = static_cast<float>(other.step);
        push(std::move(dequantise), {other.shape, 0, 1});
        layer.second = tensor();
    }
    push(std::move(layer), flow);
}

void NetworkMaker::max_pool(const Grid3& window) {
    if (window == Grid3{1, 1, 1}) return;
    Layer layer;
    layer.operation = Operation::max_pool;
    Flow flow = flow_;
    for (std::size_t d = 0; d < 3; ++d) {
        layer.kernel[d] = static_cast<std::int32_t>(window[d]);
        flow.shape.grid[d] /= layer.kernel[d];
    }
    add(std::move(layer), flow);
}

void NetworkMaker::mean(const std::string& rounding, const std::string& reader) {
    Layer layer;
    layer.operation = Operation::mean;
    const Shape shape{flow_.shape.channels, {1, 1, 1}};
    round_for(rounding);
    const auto next = source_.integers(reader, {});
    if (flow_.bits == 0 || !next) {
        become_float();
        return add(std::move(layer), {shape, 0, 1});
    }
    layer.integer.weight_bits = 1;
    layer.integer.output_bits = next->input_bits;
    const double ratio =
        flow_.step / (static_cast<double>(flow_.shape.positions()) * next->input_step);
    layer.integer.ratios.assign(static_cast<std::size_t>(shape.channels), bounded_dyadic(ratio));
    add(std::move(layer), {shape, next->input_bits, next->input_step});
}

void NetworkMaker::linear(const std::string& name, int outputs, Activation activation,
                          const std::string& reader, const FactoredLayer* factored) {
    if (factored != nullptr) return linear_factored(name, activation, *factored);
    Layer layer;
    layer.operation = Operation::linear;
    layer.outputs = outputs;
    const Shape input = flow_.shape, shape{outputs, {1, 1, 1}};
    const std::vector<std::int64_t> weights{outputs, input.elements()};
    const auto channels = static_cast<std::size_t>(input.channels);
    const auto positions = static_cast<std::size_t>(input.positions());
    if (const auto own = source_.integers(name, weights)) {
        become_integers(*own);
        layer.integer.weights = channels_last(own->weights, channels, positions);
        return add_integer(std::move(layer), *own, activation, reader, -1, shape);
    }
    round_for(name);
    become_float();
    layer.activation = activation;
    layer.weights = channels_last(source_.floats(name + ".weight", weights), channels, positions);
    layer.bias = source_.floats(name + ".bias", {outputs});
    add(std::move(layer), {shape, 0, 1});
}

void NetworkMaker::squeeze(const std::string& name, int width) {
    become_float();
    const int features = tensor();
    const Flow flow = flow_;
    mean("", "");
    linear(name + ".reduce", width, Activation::relu, "");
    linear(name + ".expand", flow.shape.channels, Activation::sigmoid, "");
    Layer layer;
    layer.operation = Operation::scale_channels;
    layer.second = tensor();
    layer.input = features;
    push(std::move(layer), flow);
}

}  // namespace edgeloop::inference
