#include "adaptation/unit.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/integer.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop::adaptation {
namespace {

using inference::Graph;
using inference::Layer;
using inference::TensorKind;

bool has_weights(Operation operation) {
    return operation == Operation::convolution || operation == Operation::depthwise ||
           operation == Operation::linear || operation == Operation::norm;
}

/// Walks the layers of a graph, and knows the step of the tensor that the next one reads.
class UnitTaker {
  public:
    UnitTaker(Graph& graph, std::vector<float>& parameters)
        : graph_(graph), parameters_(parameters), kinds_(inference::kinds_of(graph)) {}

    [[nodiscard]] std::vector<Unit> take() {
        if (!graph_.input_elements.are_real()) {
            step_ = inference::input_scale(inference::normalisation_of(graph_).deviation);
            zero_ = graph_.input_elements.zero;
        }
        for (index_ = 0; index_ < graph_.layers.size(); ++index_) add(graph_.layers[index_]);
        return std::move(units_);
    }

  private:
    [[noreturn]] void refuse(const char* why) const {
        throw ConfigError(fmt::format("layer {} ({}) cannot learn on a device", index_,
                                      inference::to_string(graph_.layers[index_].operation)),
                          why, "adapt a network of the family cnn3d");
    }

    void add(Layer& layer) {
        if (layer.input != static_cast<std::int32_t>(index_) || layer.second >= 0)
            refuse("it does not read the layer before alone");
        if (layer.activation != inference::Activation::none &&
            layer.activation != inference::Activation::relu)
            refuse("its activation is not ReLU");
        switch (layer.operation) {
            case Operation::max_pool:
                return add_pool(layer);
            case Operation::dequantise:
                // A tensor of integers has the values of its step here.
                zero_ = 0;
                return;
            case Operation::add:
            case Operation::scale_channels:
                refuse("it reads two tensors");
            default:
                break;
        }
        Unit unit;
        unit.operation =
            layer.operation == Operation::linear ? Operation::convolution : layer.operation;
        unit.is_relu = layer.activation == inference::Activation::relu ||
                       layer.operation == Operation::quantise ||
                       (layer.integer.output_bits != 0 && layer.operation != Operation::mean);
        unit.input = kinds_[index_].shape;
        unit.grown = unit.output = kinds_[index_ + 1].shape;
        unit.kernel = layer.operation == Operation::linear ? unit.input.grid : layer.kernel;
        unit.stride = layer.stride;
        unit.before = layer.before;
        unit.groups = layer.groups;
        unit.epsilon = layer.epsilon;
        unit.layer = index_;
        unit.input_step = step_;
        unit.input_zero = zero_;
        take_weights(unit, layer);
        take_rounding(unit, layer);
        zero_ = 0;
        units_.push_back(std::move(unit));
    }

    /// Into the unit before, where that has none yet.
    void add_pool(const Layer& layer) {
        const Triple& window = layer.kernel;
        const std::int64_t volume = std::int64_t{window[0]} * window[1] * window[2];
        if (volume >= dead) refuse("its window has more than 254 elements");
        const bool fits = !units_.empty() && units_.back().pool_volume() == 1 &&
                          units_.back().operation != Operation::quantise;
        if (!fits) {
            Unit unit;
            unit.operation = Operation::max_pool;
            unit.input = unit.grown = kinds_[index_].shape;
            unit.layer = index_;
            units_.push_back(unit);
        }
        units_.back().pool = window;
        units_.back().output = kinds_[index_ + 1].shape;
    }

    void take_weights(Unit& unit, Layer& layer) {
        if (!has_weights(layer.operation)) return;
        unit.weights = parameters_.size();
        if (layer.integer.weight_bits != 0) return take_integers(unit, layer);
        unit.weight_count = layer.weights.size();
        parameters_.insert(parameters_.end(), layer.weights.begin(), layer.weights.end());
        unit.biases = parameters_.size();
        unit.bias_count = layer.bias.size();
        parameters_.insert(parameters_.end(), layer.bias.begin(), layer.bias.end());
        layer.weights = {};
        layer.bias = {};
    }

    /// A file has ratios of scales: scale[c] input_step / output_step. Where nothing says the step
    /// of what comes out, it is chosen, so that weights have the size that training begins with; a
    /// network with ReLU is the same for each choice.
    void take_integers(Unit& unit, Layer& layer) {
        inference::Quantisation& integer = layer.integer;
        const auto outputs = static_cast<std::size_t>(layer.outputs);
        const std::size_t fan_in = integer.weights.size() / outputs;
        std::vector<double> products(outputs);  // scale[c] input_step / output_step
        for (std::size_t c = 0; c < outputs; ++c)
            products[c] =
                integer.output_bits != 0 ? integer.ratios[c].value() : double(integer.scales[c]);
        double step = 1;
        if (integer.output_bits != 0) {
            step = said_step();
            if (step == 0) step = fitting_step(integer, products, fan_in);
        }
        unit.weight_rounding.bits = integer.weight_bits;
        unit.weight_rounding.grid = integer.grid;
        unit.weight_count = integer.weights.size();
        for (std::size_t c = 0; c < outputs; ++c) {
            const double scale = products[c] * step / step_;
            // A ratio of 0 cuts a channel off; its weights have no size.
            unit.weight_rounding.scales.push_back(static_cast<float>(scale));
            for (std::size_t i = c * fan_in; i < (c + 1) * fan_in; ++i)
                parameters_.push_back(static_cast<float>(scale * integer.weights[i]));
        }
        unit.biases = parameters_.size();
        unit.bias_count = outputs;
        for (std::size_t c = 0; c < outputs; ++c) {
            std::int64_t sum = 0;
            for (std::size_t i = c * fan_in; i < (c + 1) * fan_in; ++i) sum += integer.weights[i];
            const double bias = double(integer.bias[c]) + double(zero_) * double(sum);
            parameters_.push_back(static_cast<float>(bias * products[c] * step));
        }
        integer.weights = {};
        integer.bias = {};
        if (integer.output_bits != 0) step_ = step;
    }

    /// The step of this layer's result that a later layer says which makes floats of it; 0: none.
    [[nodiscard]] double said_step() const {
        double factor = 1;
        for (std::size_t i = index_ + 1; i < graph_.layers.size(); ++i) {
            const Layer& layer = graph_.layers[i];
            if (layer.operation == Operation::dequantise) return factor * double(layer.scale);
            if (layer.operation == Operation::mean && layer.integer.output_bits != 0)
                factor *= static_cast<double>(kinds_[i].shape.positions()) *
                          layer.integer.ratios.front().value();
            else if (layer.operation != Operation::max_pool)
                return 0;
        }
        return 0;
    }

    [[nodiscard]] double fitting_step(const inference::Quantisation& integer,
                                      const std::vector<double>& products,
                                      std::size_t fan_in) const {
        double squares = 0;  // of all weights, for a step of 1 of what comes out
        for (std::size_t i = 0; i < integer.weights.size(); ++i) {
            const double weight = products[i / fan_in] * integer.weights[i] / step_;
            squares += weight * weight;
        }
        const double wanted = 2.0 * static_cast<double>(products.size());  // He et al., ICCV 2015
        return squares > 0 ? std::sqrt(wanted / squares) : 1;
    }

    void take_rounding(Unit& unit, const Layer& layer) {
        if (layer.operation == Operation::quantise) {
            unit.result_rounding = {layer.bits, layer.scale};
            step_ = double(layer.scale);
            return;
        }
        const int bits = layer.integer.output_bits;
        if (bits == 0) return;
        if (layer.operation == Operation::mean) {
            const double ratio = layer.integer.ratios.front().value();
            const double step = step_ / (static_cast<double>(unit.input.positions()) * ratio);
            if (!(ratio > 0)) refuse("its ratio is 0");
            step_ = step;
        }
        unit.result_rounding = {bits, static_cast<float>(step_)};
    }

    Graph& graph_;
    std::vector<float>& parameters_;
    std::vector<TensorKind> kinds_;
    std::vector<Unit> units_;
    std::size_t index_ = 0;
    double step_ = 1;  ///< of the tensor that is read next, where it is of integers
    int zero_ = 0;
};

void put_integers(const Unit& unit, const std::vector<float>& parameters,
                  inference::Quantisation& integer) {
    const WeightRounding& rounding = unit.weight_rounding;
    const std::size_t outputs = rounding.scales.size(), fan_in = unit.fan_in();
    integer.weights.resize(unit.weight_count);
    integer.bias.resize(outputs);
    for (std::size_t c = 0; c < outputs; ++c) {
        const double scale = double(rounding.scales[c]);
        std::int64_t sum = 0;
        for (std::size_t i = c * fan_in; i < (c + 1) * fan_in; ++i) {
            const double ratio = scale > 0 ? double(parameters[unit.weights + i]) / scale : 0;
            const int q = inference::nearest_weight(ratio, rounding.bits, rounding.grid);
            integer.weights[i] = static_cast<std::int16_t>(q);
            sum += q;
        }
        const double of_one = scale * unit.input_step;
        const std::int64_t bias =
            of_one > 0 ? inference::integer_bias(double(parameters[unit.biases + c]), of_one) -
                             unit.input_zero * sum
                       : 0;
        if (std::abs(bias) >= std::int64_t{1} << 31)
            throw ConfigError("a bias does not fit 32 bits", "its scale is too small");
        integer.bias[c] = static_cast<std::int32_t>(bias);
    }
}

}  // namespace

std::int64_t Unit::multiply_adds() const {
    return has_weights(operation) && operation != Operation::norm
               ? grown.positions() * static_cast<std::int64_t>(weight_count)
               : 0;
}

std::vector<Unit> take_units(Graph& graph, std::vector<float>& parameters) {
    return UnitTaker(graph, parameters).take();
}

void put_back(const std::vector<Unit>& units, const std::vector<float>& parameters, Graph& graph) {
    for (const Unit& unit : units) {
        if (unit.weight_count == 0) continue;
        Layer& layer = graph.layers[unit.layer];
        if (unit.weight_rounding.bits != 0) {
            put_integers(unit, parameters, layer.integer);
            continue;
        }
        const auto at = [&](std::size_t place) {
            return parameters.begin() + static_cast<std::ptrdiff_t>(place);
        };
        layer.weights.assign(at(unit.weights), at(unit.weights + unit.weight_count));
        layer.bias.assign(at(unit.biases), at(unit.biases + unit.bias_count));
    }
}

void effective_weights(const Unit& unit, const float* parameters, std::size_t first,
                       std::size_t end, float* weights) {
    const std::size_t fan_in = unit.fan_in();
    const float* const own = parameters + unit.weights + first * fan_in;
    const WeightRounding& rounding = unit.weight_rounding;
    if (rounding.bits == 0) {
        std::copy_n(own, (end - first) * fan_in, weights);
        return;
    }
    for (std::size_t c = first; c < end; ++c) {
        const float scale = rounding.scales[c], inverse = scale > 0 ? 1 / scale : 0;
        for (std::size_t i = (c - first) * fan_in; i < (c - first + 1) * fan_in; ++i)
            weights[i] = scale * static_cast<float>(inference::nearest_weight(
                                     double(own[i] * inverse), rounding.bits, rounding.grid));
    }
}

}  // namespace edgeloop::adaptation
