#include "model/network.hpp"
#include "model/onnx_writer.hpp"
#include "model/torch_error.hpp"
#include "model/traced_network.hpp"
#include "model/weights_file.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/model/onnx.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

namespace edgeloop {
namespace {

using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Value;
using Shape = std::vector<std::int64_t>;

constexpr std::size_t max_model_bytes = (std::size_t{1} << 31U) - 1;

/// Translates a frozen graph, operator by operator. Each is also run on an example, which tells the
/// shapes; what depends on constants alone becomes a constant.
class Translator {
  public:
    Translator(const torch::jit::Graph& graph, const torch::Tensor& example) : graph_(graph) {
        const Value* clips = graph.inputs().back();  // the first is the module
        values_[clips] = {example, "clips", false};
        writer_.add_input("clips", example.sizes().vec());
    }

    OnnxWriter translate() {
        for (const Node* node : graph_.nodes()) take(*node);
        const Known& last = values_.at(graph_.outputs().at(0));
        writer_.add_node("Identity", {last.name}, "targets");
        writer_.add_output("targets", last.value.toTensor().sizes().vec());
        return std::move(writer_);
    }

  private:
    struct Known {
        IValue value;      ///< for the example
        std::string name;  ///< in the model; a constant gets one when an operator needs it
        bool constant = true;
        std::size_t seen = 0;  ///< users that were translated
    };
    using Translation = std::string (Translator::*)(const Node&);

    // Inputs of an operator.
    [[nodiscard]] const IValue& value(const Node& node, std::size_t i) const {
        return values_.at(node.inputs().at(i)).value;
    }
    [[nodiscard]] torch::Tensor tensor(const Node& node, std::size_t i) const {
        return value(node, i).toTensor();
    }
    [[nodiscard]] std::int64_t integer(const Node& node, std::size_t i) const {
        return value(node, i).toInt();
    }
    [[nodiscard]] Shape integers(const Node& node, std::size_t i) const {
        return value(node, i).toIntVector();
    }
    /// Input i as an axis of input 0.
    [[nodiscard]] std::int64_t axis(const Node& node, std::size_t i) const {
        return (integer(node, i) + tensor(node, 0).dim()) % tensor(node, 0).dim();
    }
    [[nodiscard]] Shape result_shape(const Node& node) const {
        return values_.at(node.output()).value.toTensor().sizes().vec();
    }
    std::string name_of(const Value* of) {
        Known& known = values_.at(of);
        if (known.name.empty())
            known.name = known.value.isTensor() ? constant(known.value.toTensor())
                                                : constant(known.value.toScalar().toDouble());
        return known.name;
    }
    std::string input(const Node& node, std::size_t i) { return name_of(node.inputs().at(i)); }

    // Parts of the model.
    std::string fresh() { return fmt::format("t{}", names_++); }
    std::string constant(const Shape& values) {
        const std::string name = fresh();
        writer_.add_constant(name, {static_cast<std::int64_t>(values.size())}, values);
        return name;
    }
    std::string constant(const torch::Tensor& values) {
        const std::string name = fresh();
        const torch::Tensor floats = values.to(torch::kFloat).contiguous();
        writer_.add_constant(name, floats.sizes().vec(), floats.data_ptr<float>());
        return name;
    }
    std::string constant(double number) {
        return constant(torch::tensor(static_cast<float>(number)));
    }
    std::string add(const std::string& type, const std::vector<std::string>& inputs,
                    const std::vector<OnnxWriter::Attribute>& attributes = {}) {
        const std::string name = fresh();
        writer_.add_node(type, inputs, name, attributes);
        return name;
    }
    std::string reshaped(const std::string& name, const Shape& shape) {
        return add("Reshape", {name, constant(shape)});
    }

    void take(const Node& node) {
        const Value* output = node.output();
        if (node.kind() == c10::prim::Constant) {
            values_[output] = {torch::jit::toIValue(output).value(), {}, true};
            return;
        }
        torch::jit::Stack stack;
        bool constant = true;
        for (const Value* each : node.inputs()) {
            stack.push_back(values_.at(each).value);
            constant = constant && values_.at(each).constant;
        }
        if (node.kind() == c10::prim::ListConstruct) {
            c10::List<torch::Tensor> list;
            for (const IValue& each : stack) list.push_back(each.toTensor());
            values_[output] = {list, {}, constant};
            return;
        }
        node.getOperation()(stack);
        values_[output] = {stack.back(), {}, constant};
        if (constant) return;
        stack.clear();
        const auto found = translations().find(node.kind().toQualString());
        if (found == translations().end()) throw unknown(node);
        values_[output].name = (this->*found->second)(node);
        for (const Value* each : node.inputs()) forget(each);
    }
    /// Drops what the example gave for a value that all its users have seen, as the runtime would.
    void forget(const Value* value) {
        Known& known = values_.at(value);
        if (known.constant || ++known.seen < value->uses().size()) return;
        known.value = IValue();
        if (value->node()->kind() == c10::prim::ListConstruct)
            for (const Value* each : value->node()->inputs()) forget(each);
    }

    // One for each operator, or for those that translate alike. They return the result's name.
    std::string addition(const Node& node) {
        if (value(node, 2).toScalar().toDouble() != 1) throw unknown(node, "with a factor");
        return add("Add", {input(node, 0), input(node, 1)});
    }
    std::string product(const Node& node) { return add("Mul", {input(node, 0), input(node, 1)}); }
    std::string matrix_product(const Node& node) {
        return add("MatMul", {input(node, 0), input(node, 1)});
    }
    std::string relu(const Node& node) { return add("Relu", {input(node, 0)}); }
    std::string sigmoid(const Node& node) { return add("Sigmoid", {input(node, 0)}); }
    std::string silu(const Node& node) { return add("Mul", {input(node, 0), sigmoid(node)}); }
    std::string gelu(const Node& node) {
        if (value(node, 1).toStringRef() != "none") throw unknown(node, "approximated");
        const std::string x = input(node, 0);
        const std::string erf = add("Erf", {add("Div", {x, constant(std::sqrt(2.0))})});
        const std::string product = add("Mul", {x, add("Add", {erf, constant(1.0)})});
        return add("Mul", {product, constant(0.5)});
    }
    std::string softmax(const Node& node) {
        return add("Softmax", {input(node, 0)}, {{"axis", axis(node, 1)}});
    }
    std::string linear(const Node& node) {
        const bool bias = !value(node, 2).isNone();
        if (tensor(node, 0).dim() == 2) {
            std::vector<std::string> inputs{input(node, 0), input(node, 1)};
            if (bias) inputs.push_back(input(node, 2));
            return add("Gemm", inputs, {{"transB", std::int64_t{1}}});
        }
        const std::string product = add("MatMul", {input(node, 0), constant(tensor(node, 1).t())});
        return bias ? add("Add", {product, input(node, 2)}) : product;
    }
    std::string convolution(const Node& node) {
        if (value(node, 6).toBool()) throw unknown(node, "transposed");
        std::vector<std::string> inputs{input(node, 0), input(node, 1)};
        if (!value(node, 2).isNone()) inputs.push_back(input(node, 2));
        Shape pads = integers(node, 4);
        pads.insert(pads.end(), pads.begin(), pads.end());  // before and after
        return add("Conv", inputs,
                   {{"strides", integers(node, 3)},
                    {"pads", pads},
                    {"dilations", integers(node, 5)},
                    {"group", integer(node, 8)}});
    }
    std::string max_pool(const Node& node) {
        const Shape kernel = integers(node, 1), strides = integers(node, 2);
        Shape pads = integers(node, 3);
        pads.resize(kernel.size(), pads.back());  // one number stands for all
        pads.insert(pads.end(), pads.begin(), pads.end());
        Shape dilations = integers(node, 4);
        dilations.resize(kernel.size(), dilations.back());
        return add("MaxPool", {input(node, 0)},
                   {{"kernel_shape", kernel},
                    {"strides", strides.empty() ? kernel : strides},
                    {"pads", pads},
                    {"dilations", dilations},
                    {"ceil_mode", std::int64_t{value(node, 5).toBool()}}});
    }
    // Operator set 17 has none; a group is an instance of its own.
    std::string group_norm(const Node& node) {
        const Shape shape = tensor(node, 0).sizes().vec();
        const std::int64_t groups = integer(node, 1);
        const std::string grouped = reshaped(input(node, 0), {shape[0], groups, -1});
        const std::string normalised =
            add("InstanceNormalization",
                {grouped, constant(torch::ones(groups)), constant(torch::zeros(groups))},
                {{"epsilon", value(node, 4).toDouble()}});
        Shape per_channel(shape.size() - 1, 1);
        per_channel[0] = shape[1];
        const std::string scaled = add(
            "Mul", {reshaped(normalised, shape), constant(tensor(node, 2).reshape(per_channel))});
        return add("Add", {scaled, constant(tensor(node, 3).reshape(per_channel))});
    }
    std::string layer_norm(const Node& node) {
        const auto over = static_cast<std::int64_t>(integers(node, 1).size());
        return add("LayerNormalization", {input(node, 0), input(node, 2), input(node, 3)},
                   {{"axis", -over}, {"epsilon", value(node, 4).toDouble()}});
    }
    std::string mean(const Node& node) {
        Shape axes = integers(node, 1);
        return add("ReduceMean", {input(node, 0)},
                   {{"axes", axes}, {"keepdims", std::int64_t{value(node, 2).toBool()}}});
    }
    // LibTorch: pairs from the last dimension on. ONNX: all beginnings, then all ends.
    std::string pad(const Node& node) {
        const Shape pairs = integers(node, 1);
        const auto rank = static_cast<std::size_t>(tensor(node, 0).dim());
        Shape pads(2 * rank, 0);
        for (std::size_t i = 0; i < pairs.size() / 2; ++i) {
            pads[rank - 1 - i] = pairs[2 * i];
            pads[2 * rank - 1 - i] = pairs[2 * i + 1];
        }
        return add("Pad", {input(node, 0), constant(pads), input(node, 2)});
    }
    std::string reshape(const Node& node) { return reshaped(input(node, 0), result_shape(node)); }
    std::string same(const Node& node) { return input(node, 0); }
    std::string permute(const Node& node) {
        return add("Transpose", {input(node, 0)}, {{"perm", integers(node, 1)}});
    }
    std::string transpose(const Node& node) {
        Shape order(static_cast<std::size_t>(tensor(node, 0).dim()));
        std::iota(order.begin(), order.end(), 0);
        std::swap(order[static_cast<std::size_t>(axis(node, 1))],
                  order[static_cast<std::size_t>(axis(node, 2))]);
        return add("Transpose", {input(node, 0)}, {{"perm", order}});
    }
    std::string select(const Node& node) {
        const std::int64_t along = axis(node, 1), length = tensor(node, 0).size(along);
        const std::string index = fresh();
        writer_.add_constant(index, {}, {(integer(node, 2) + length) % length});
        return add("Gather", {input(node, 0), index}, {{"axis", along}});
    }
    std::string part(const std::string& name, std::int64_t along, std::int64_t from,
                     std::int64_t to, std::int64_t step = 1) {
        return add("Slice", {name, constant(Shape{from}), constant(Shape{to}),
                             constant(Shape{along}), constant(Shape{step})});
    }
    std::string slice(const Node& node) {
        const std::int64_t length = tensor(node, 0).size(axis(node, 1));
        const auto bound = [&](std::size_t i, std::int64_t otherwise) {
            return value(node, i).isNone() ? otherwise : std::min(integer(node, i), length);
        };
        return part(input(node, 0), axis(node, 1), bound(2, 0), bound(3, length), integer(node, 4));
    }
    std::string roll(const Node& node) {
        const Shape shifts = integers(node, 1), axes = integers(node, 2);
        std::string name = input(node, 0);
        for (std::size_t i = 0; i < axes.size(); ++i) {
            const std::int64_t length = tensor(node, 0).size(axes[i]);
            const std::int64_t cut = ((-shifts[i]) % length + length) % length;
            if (cut == 0) continue;
            name = add("Concat", {part(name, axes[i], cut, length), part(name, axes[i], 0, cut)},
                       {{"axis", axes[i]}});
        }
        return name;
    }
    std::string concatenation(const Node& node) {
        std::vector<std::string> parts;
        for (const Value* each : node.inputs().at(0)->node()->inputs())
            parts.push_back(name_of(each));
        return add("Concat", parts, {{"axis", integer(node, 1)}});
    }

    static LogicError unknown(const Node& node, const std::string& how = {}) {
        return LogicError(
            fmt::format("no ONNX translation of {} {}", node.kind().toQualString(), how));
    }
    static const std::map<std::string, Translation>& translations();

    const torch::jit::Graph& graph_;
    OnnxWriter writer_;
    std::map<const Value*, Known> values_;
    int names_ = 0;
};

const std::map<std::string, Translator::Translation>& Translator::translations() {
    static const std::map<std::string, Translation> table = {
        {"aten::_convolution", &Translator::convolution},
        {"aten::add", &Translator::addition},
        {"aten::add_", &Translator::addition},
        {"aten::cat", &Translator::concatenation},
        {"aten::constant_pad_nd", &Translator::pad},
        {"aten::contiguous", &Translator::same},
        {"aten::flatten", &Translator::reshape},
        {"aten::gelu", &Translator::gelu},
        {"aten::group_norm", &Translator::group_norm},
        {"aten::layer_norm", &Translator::layer_norm},
        {"aten::linear", &Translator::linear},
        {"aten::matmul", &Translator::matrix_product},
        {"aten::max_pool3d", &Translator::max_pool},
        {"aten::mean", &Translator::mean},
        {"aten::mul", &Translator::product},
        {"aten::permute", &Translator::permute},
        {"aten::relu", &Translator::relu},
        {"aten::reshape", &Translator::reshape},
        {"aten::roll", &Translator::roll},
        {"aten::select", &Translator::select},
        {"aten::sigmoid", &Translator::sigmoid},
        {"aten::silu", &Translator::silu},
        {"aten::slice", &Translator::slice},
        {"aten::softmax", &Translator::softmax},
        {"aten::transpose", &Translator::transpose},
    };
    return table;
}

/// Of a network in evaluation mode with plain kernels.
std::string onnx_of(const std::shared_ptr<Network>& network, const ArchitectureSpec& spec,
                    int batch) {
    const torch::NoGradGuard no_grad;
    const ClipShape& clip = spec.clip;
    const torch::Tensor example = torch::zeros({batch, 1, clip.frames, clip.side, clip.side});
    const torch::jit::Module module = traced_network(network, example);
    const auto graph = module.get_method("forward").graph();
    return Translator(*graph, example).translate().model(spec.family, spec.canonical());
}

}  // namespace

std::string export_onnx(const ArchitectureSpec& spec, const std::string& weights, int batch) {
    if (!spec.quantisation.is_float())
        throw ConfigError("this network has quantised layers",
                          "the ONNX file that is written here is of float32");
    const auto exported = [&] {
        const auto network = trained_network(spec, weights);
        network->set_kernels(Kernels::plain);
        std::string model = onnx_of(network, spec, batch);
        if (model.size() > max_model_bytes)
            throw ConfigError("the network is too large for an ONNX file",
                              fmt::format("it has {} bytes, and protobuf ends at {}", model.size(),
                                          max_model_bytes));
        return model;
    };
    return translate_torch_errors("exporting", [&] { return with_bad_alloc(exported); });
}

}  // namespace edgeloop
