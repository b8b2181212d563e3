#include "model/qonnx.hpp"

#include "model/onnx_writer.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace edgeloop {
namespace {

using inference::Layer;
using inference::Operation;
using inference::WeightGrid;
using Shape = OnnxWriter::Shape;

class QonnxWriter {
  public:
    explicit QonnxWriter(const inference::Graph& graph, int batch)
        : graph_(graph), kinds_(kinds_of(graph)), batch_(batch == 0 ? -1 : batch) {}

    [[nodiscard]] std::string run(
        const std::string& name,
        const std::vector<std::pair<std::string, std::string>>& properties) {
        add_clip();
        for (const Layer& layer : graph_.layers) names_.push_back(result_of(layer));
        const auto outputs = kinds_.back().shape.elements();
        writer_.add_node("Identity", {names_.back()}, "targets");
        writer_.add_output("targets", {batch_, outputs});
        return writer_.model(name, properties);
    }

  private:
    [[noreturn]] static void refuse(const Layer& layer) {
        throw ConfigError(
            fmt::format("this network has no QONNX form: a layer of it is of float32 ({})",
                        to_string(layer.operation)),
            "all layers have to have integers", "use --format native");
    }

    [[nodiscard]] const inference::Shape& shape_of(std::int32_t tensor) const {
        return kinds_[static_cast<std::size_t>(tensor)].shape;
    }
    [[nodiscard]] const std::string& name_of(std::int32_t tensor) const {
        return names_[static_cast<std::size_t>(tensor)];
    }

    std::string add(const std::string& type, const std::vector<std::string>& inputs,
                    const std::vector<OnnxWriter::Attribute>& attributes = {}) {
        std::string name = fmt::format("t{}", count_++);
        writer_.add_node(type, inputs, name, attributes);
        return name;
    }
    std::string constant(const Shape& shape, const std::vector<float>& values) {
        std::string name = fmt::format("t{}", count_++);
        writer_.add_constant(name, shape, OnnxType::float32, values.data());
        return name;
    }
    std::string number(double value) { return constant({}, {static_cast<float>(value)}); }

    std::string quant(const std::string& x, const std::string& scale, int zero, int bits,
                      bool is_signed) {
        std::string name = fmt::format("t{}", count_++);
        writer_.add_qonnx_node("Quant", {x, scale, number(zero), number(bits)}, name,
                               {{"signed", std::int64_t{is_signed}},
                                {"narrow", std::int64_t{is_signed}},  // as many below 0 as above
                                {"rounding_mode", std::string("ROUND")}});
        return name;
    }

    void add_clip() {
        const inference::Shape& clip = graph_.input;
        writer_.add_input("clips",
                          {batch_, clip.channels, clip.grid[0], clip.grid[1], clip.grid[2]},
                          OnnxType::float32);
        if (graph_.input_elements.are_real()) refuse(graph_.layers.front());
        const double deviation = graph_.metadata.at("normalisation").at("deviation").get<double>();
        clip_scale_ = inference::input_scale(deviation);
        names_.push_back(quant("clips", number(clip_scale_), graph_.input_elements.zero,
                               graph_.input_elements.bits, false));
    }

    std::string result_of(const Layer& layer) {
        switch (layer.operation) {
            case Operation::convolution:
            case Operation::depthwise:
            case Operation::linear:
                if (layer.integer.weight_bits == 0) refuse(layer);
                return weighted(layer);
            case Operation::max_pool: {
                const Shape window(layer.kernel.begin(), layer.kernel.end());
                return add("MaxPool", {name_of(layer.input)},
                           {{"kernel_shape", window}, {"strides", window}});
            }
            case Operation::mean:
                if (layer.integer.weight_bits == 0) refuse(layer);
                return mean(layer);
            default:
                refuse(layer);
        }
    }

    /// What an accumulator of each channel stands for, divided by what an input's 1 stands for.
    [[nodiscard]] std::vector<float> weight_scales(const Layer& layer) const {
        const double unit = layer.input == 0 ? clip_scale_ : 1;
        std::vector<float> scales;
        for (const inference::Dyadic& ratio : layer.integer.ratios)
            scales.push_back(static_cast<float>(ratio.value() / unit));
        for (const float scale : layer.integer.scales)
            scales.push_back(static_cast<float>(double(scale) / unit));
        return scales;
    }

    std::string weighted(const Layer& layer) {
        const std::vector<float> scales = weight_scales(layer);
        const std::string weights = weights_of(layer, scales), bias = bias_of(layer);
        std::string result;
        if (layer.operation == Operation::linear) {
            const std::string flat =
                add("Flatten", {name_of(layer.input)}, {{"axis", std::int64_t{1}}});
            result = add("Gemm", {flat, weights, bias}, {{"transB", std::int64_t{1}}});
        } else {
            Shape pads(layer.before.begin(), layer.before.end());
            pads.insert(pads.end(), layer.after.begin(), layer.after.end());
            const std::int64_t groups =
                layer.operation == Operation::depthwise ? shape_of(layer.input).channels : 1;
            result = add("Conv", {name_of(layer.input), weights, bias},
                         {{"kernel_shape", Shape(layer.kernel.begin(), layer.kernel.end())},
                          {"strides", Shape(layer.stride.begin(), layer.stride.end())},
                          {"pads", pads},
                          {"group", groups}});
        }
        return finished(layer, layer.second < 0 ? result : with_residual(layer, result));
    }

    std::string with_residual(const Layer& layer, const std::string& sum) {
        std::vector<float> factors;
        for (std::size_t c = 0; c < layer.integer.residual.size(); ++c)
            factors.push_back(static_cast<float>(
                std::ldexp(double(layer.integer.residual[c]), -layer.integer.ratios[c].shift)));
        const auto channels = static_cast<std::int64_t>(factors.size());
        return add(
            "Add",
            {sum, add("Mul", {name_of(layer.second), constant({1, channels, 1, 1, 1}, factors)})});
    }

    std::string finished(const Layer& layer, const std::string& result) {
        const int bits = layer.integer.output_bits;
        if (bits == 0)
            return layer.activation == inference::Activation::relu ? add("Relu", {result}) : result;
        return quant(add("Relu", {result}), number(1), 0, bits, false);
    }

    /// (outputs, inputs, t, h, w), or (outputs, elements) in the order of (C, T, H, W), of a
    /// layer's (outputs, t, h, w, inputs) or (outputs, (T, H, W, C)).
    std::string weights_of(const Layer& layer, const std::vector<float>& scales) {
        const bool is_linear = layer.operation == Operation::linear;
        const inference::Shape& input = shape_of(layer.input);
        const inference::Triple& window = is_linear ? input.grid : layer.kernel;
        const auto inputs =
            static_cast<std::size_t>(layer.operation == Operation::depthwise ? 1 : input.channels);
        const auto positions =
            static_cast<std::size_t>(std::int64_t{window[0]} * window[1] * window[2]);
        const std::size_t outputs = scales.size(), block = inputs * positions;
        std::vector<float> values(outputs * block);
        for (std::size_t out = 0; out < outputs; ++out)
            for (std::size_t c = 0; c < inputs; ++c)
                for (std::size_t p = 0; p < positions; ++p)
                    values[out * block + c * positions + p] =
                        scales[out] *
                        static_cast<float>(layer.integer.weights[out * block + p * inputs + c]);
        const auto rows = static_cast<std::int64_t>(outputs);
        const Shape shape = is_linear ? Shape{rows, static_cast<std::int64_t>(block)}
                                      : Shape{rows, static_cast<std::int64_t>(inputs), window[0],
                                              window[1], window[2]};
        const std::string scale =
            constant(is_linear ? Shape{rows, 1} : Shape{rows, 1, 1, 1, 1}, scales);
        const std::string name = constant(shape, values);
        const int bits = layer.integer.weight_bits;
        if (bits > 1)
            return quant(name, scale, 0, bits + (layer.integer.grid == WeightGrid::odd ? 1 : 0),
                         true);
        std::string result = fmt::format("t{}", count_++);
        writer_.add_qonnx_node("BipolarQuant", {name, scale}, result);
        return result;
    }

    /// In units of the result. A clip's integers are read less the one that stands for 0.
    std::string bias_of(const Layer& layer) {
        const double unit = layer.input == 0 ? clip_scale_ : 1;
        const std::vector<float> scales = weight_scales(layer);
        const std::int64_t zero = layer.input == 0 ? graph_.input_elements.zero : 0;
        const std::size_t outputs = scales.size(), fan_in = layer.integer.weights.size() / outputs;
        std::vector<float> values;
        for (std::size_t c = 0; c < outputs; ++c) {
            std::int64_t sum = 0;
            for (std::size_t i = 0; i < fan_in; ++i) sum += layer.integer.weights[c * fan_in + i];
            values.push_back(
                static_cast<float>(static_cast<double>(layer.integer.bias[c] + zero * sum) *
                                   double(scales[c]) * unit));
        }
        return constant({static_cast<std::int64_t>(outputs)}, values);
    }

    std::string mean(const Layer& layer) {
        const double ratio = layer.integer.ratios.front().value();
        const auto positions = static_cast<double>(shape_of(layer.input).positions());
        const std::string mean = add("ReduceMean", {name_of(layer.input)},
                                     {{"axes", Shape{2, 3, 4}}, {"keepdims", std::int64_t{1}}});
        return quant(add("Mul", {mean, number(ratio * positions)}), number(1), 0,
                     layer.integer.output_bits, false);
    }

    const inference::Graph& graph_;
    std::vector<inference::TensorKind> kinds_;
    std::int64_t batch_;
    OnnxWriter writer_;
    std::vector<std::string> names_;  ///< of the graph's tensors
    double clip_scale_ = 1;
    int count_ = 0;
};

}  // namespace

std::string qonnx_of(const inference::Graph& graph, const std::string& name, int batch,
                     const std::vector<std::pair<std::string, std::string>>& properties) {
    return QonnxWriter(graph, batch).run(name, properties);
}

}  // namespace edgeloop
