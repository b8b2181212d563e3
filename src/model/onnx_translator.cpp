#include "model/onnx_translator.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <torch/script.h>

namespace edgeloop {
namespace {

std::vector<std::int64_t> declared(const torch::Tensor& example, bool free_batch) {
    std::vector<std::int64_t> shape = example.sizes().vec();
    if (free_batch) shape.front() = -1;
    return shape;
}

OnnxType type_of(const torch::Tensor& values) {
    switch (values.scalar_type()) {
        case torch::kLong:
            return OnnxType::int64;
        case torch::kInt:
            return OnnxType::int32;
        case torch::kChar:
            return OnnxType::int8;
        case torch::kByte:
            return OnnxType::uint8;
        case torch::kBool:
            return OnnxType::boolean;
        case torch::kHalf:
            return OnnxType::float16;
        default:
            return OnnxType::float32;
    }
}

}  // namespace

OnnxTranslator::OnnxTranslator(const torch::jit::Graph& graph, const torch::Tensor& example,
                               const OnnxForm& form)
    : graph_(graph), form_(form) {
    Known clips;
    clips.value = example;
    clips.name = "clips";
    clips.constant = false;
    clips.single = true;
    values_[graph.inputs().back()] = clips;  // the first is the module
    writer_.add_input("clips", declared(example, form.free_batch), type_of(example));
}

OnnxWriter OnnxTranslator::translate() {
    for (const Node* node : graph_.nodes()) take(*node);
    add_outputs();
    return std::move(writer_);
}

void OnnxTranslator::add_outputs() {
    const Value* last = graph_.outputs().at(0);
    std::vector<const Value*> outputs{last};
    if (last->node()->kind() == c10::prim::ListConstruct)
        outputs.assign(last->node()->inputs().begin(), last->node()->inputs().end());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const Known& known = values_.at(outputs[i]);
        const std::string name = i == 0 ? "targets" : fmt::format("layer{}", i);
        const bool converts = form_.half && !known.single;
        const auto number = static_cast<std::int64_t>(OnnxType::float32);
        writer_.add_node(converts ? "Cast" : "Identity", {known.name}, name,
                         converts ? std::vector<OnnxWriter::Attribute>{{"to", number}}
                                  : std::vector<OnnxWriter::Attribute>());
        writer_.add_output(name, declared(known.value.toTensor(), form_.free_batch));
    }
}

const OnnxTranslator::IValue& OnnxTranslator::value(const Node& node, std::size_t i) const {
    return values_.at(node.inputs().at(i)).value;
}
torch::Tensor OnnxTranslator::tensor(const Node& node, std::size_t i) const {
    return value(node, i).toTensor();
}
std::int64_t OnnxTranslator::integer(const Node& node, std::size_t i) const {
    return value(node, i).toInt();
}
OnnxTranslator::Shape OnnxTranslator::integers(const Node& node, std::size_t i) const {
    return value(node, i).toIntVector();
}
std::int64_t OnnxTranslator::axis(const Node& node, std::size_t i) const {
    return (integer(node, i) + tensor(node, 0).dim()) % tensor(node, 0).dim();
}
OnnxTranslator::Shape OnnxTranslator::result_shape(const Node& node) const {
    return declared(values_.at(node.output()).value.toTensor(), form_.free_batch);
}

std::string OnnxTranslator::name_of(const Value* of) {
    Known& known = values_.at(of);
    if (known.name.empty())
        known.name = known.value.isTensor() ? constant(known.value.toTensor())
                                            : constant(known.value.toScalar().toDouble());
    return known.name;
}

std::string OnnxTranslator::input(const Node& node, std::size_t i) {
    const Value* of = node.inputs().at(i);
    if (form_.half && i > 0 && prepares(node)) {
        const IValue& number = value(node, i);
        return single_constant(
            torch::tensor(number.isTensor() ? number.toTensor().item<float>()
                                            : static_cast<float>(number.toScalar().toDouble())));
    }
    std::string name = name_of(of);
    Known& known = values_.at(of);
    if (!form_.half || !known.single || prepares(node)) return name;
    if (known.half_name.empty()) known.half_name = cast(name, OnnxType::float16);
    return known.half_name;
}

std::string OnnxTranslator::fresh() { return fmt::format("t{}", names_++); }

std::string OnnxTranslator::constant(const Shape& values) {
    std::string name = fresh();
    writer_.add_constant(name, {static_cast<std::int64_t>(values.size())}, values);
    return name;
}

std::string OnnxTranslator::single_constant(const torch::Tensor& values) {
    std::string name = fresh();
    const torch::Tensor plain = values.contiguous();
    writer_.add_constant(name, plain.sizes().vec(), type_of(plain), plain.data_ptr());
    return name;
}

std::string OnnxTranslator::constant(const torch::Tensor& values) {
    if (!values.is_floating_point()) return single_constant(values);
    return single_constant(values.to(form_.half ? torch::kHalf : torch::kFloat));
}

std::string OnnxTranslator::constant(double number) {
    return constant(torch::tensor(static_cast<float>(number)));
}

std::string OnnxTranslator::add(const std::string& type, const std::vector<std::string>& inputs,
                                const std::vector<OnnxWriter::Attribute>& attributes) {
    std::string name = fresh();
    writer_.add_node(type, inputs, name, attributes);
    return name;
}

std::string OnnxTranslator::reshaped(const std::string& name, const Shape& shape) {
    return add("Reshape", {name, constant(shape)});
}

std::string OnnxTranslator::cast(const std::string& name, OnnxType type) {
    return add("Cast", {name}, {{"to", static_cast<std::int64_t>(type)}});
}

std::string OnnxTranslator::part(const std::string& name, std::int64_t along, std::int64_t from,
                                 std::int64_t to, std::int64_t step) {
    return add("Slice", {name, constant(Shape{from}), constant(Shape{to}), constant(Shape{along}),
                         constant(Shape{step})});
}

const QuantisedNode* OnnxTranslator::quantised_node(const Node& node) const {
    if (form_.quantised == nullptr) return nullptr;
    const auto found = form_.quantised->find(&node);
    return found == form_.quantised->end() ? nullptr : &found->second;
}

std::string OnnxTranslator::rounded(const std::string& name, const ValueRange& range) {
    std::string& known = rounded_[name];
    if (!known.empty()) return known;
    const ActivationScale to = range.scale();
    const std::string scale = single_constant(torch::tensor(to.scale));
    const std::string zero = single_constant(torch::tensor(to.zero, torch::kByte));
    const std::string whole = add("QuantizeLinear", {name, scale, zero});
    return known = add("DequantizeLinear", {whole, scale, zero});
}

std::string OnnxTranslator::first_input(const Node& node) {
    const QuantisedNode* quantised = quantised_node(node);
    return quantised == nullptr ? input(node, 0) : rounded(input(node, 0), quantised->input);
}

std::string OnnxTranslator::whole_weight(const torch::Tensor& weight, std::int64_t channel_axis,
                                         const QuantisedWeight& quantised) {
    const std::string zeros = single_constant(torch::zeros(quantised.scales.sizes(), torch::kChar));
    return add("DequantizeLinear",
               {single_constant(weight), single_constant(quantised.scales), zeros},
               {{"axis", channel_axis}});
}

std::string OnnxTranslator::whole_bias(const torch::Tensor& bias, float input_scale,
                                       const torch::Tensor& weight_scales) {
    const torch::Tensor scales = weight_scales * input_scale;
    constexpr double largest = 2147483520;  // the largest float below 2^31
    const torch::Tensor integers = (bias / scales).round().clamp(-largest, largest).to(torch::kInt);
    return add("DequantizeLinear", {single_constant(integers), single_constant(scales)},
               {{"axis", std::int64_t{0}}});
}

void OnnxTranslator::take(const Node& node) {
    const Value* output = node.output();
    Known& result = values_[output];
    if (node.kind() == c10::prim::Constant) {
        result.value = torch::jit::toIValue(output).value();
        return;
    }
    torch::jit::Stack stack;
    for (const Value* each : node.inputs()) {
        stack.push_back(values_.at(each).value);
        result.constant = result.constant && values_.at(each).constant;
    }
    if (node.kind() == c10::prim::ListConstruct) {
        c10::List<torch::Tensor> list;
        for (const IValue& each : stack) list.push_back(each.toTensor());
        result.value = list;
        return;
    }
    node.getOperation()(stack);
    result.value = stack.back();
    if (result.constant) return;
    stack.clear();
    const auto found = translations().find(node.kind().toQualString());
    if (found == translations().end()) refuse(node);
    result.single = prepares(node);
    result.name = (this->*found->second)(node);
    for (const Value* each : node.inputs()) forget(each);
}

bool OnnxTranslator::prepares(const Node& node) const {
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
        const Known& known = values_.at(node.inputs()[i]);
        if (i == 0 && !known.single) return false;
        if (i > 0 && known.value.isTensor() && known.value.toTensor().dim() > 0) return false;
    }
    const std::string_view kind = node.kind().toQualString();
    return kind == "aten::to" || kind == "aten::mul" || kind == "aten::add" ||
           kind == "aten::upsample_bilinear2d" || kind == "aten::unsqueeze";
}

/// Drops what the example gave for a value that all its users have seen, as the runtime would.
void OnnxTranslator::forget(const Value* value) {
    Known& known = values_.at(value);
    if (known.constant || ++known.seen < value->uses().size()) return;
    known.value = IValue();
    if (value->node()->kind() == c10::prim::ListConstruct)
        for (const Value* each : value->node()->inputs()) forget(each);
}

void OnnxTranslator::refuse(const Node& node, const std::string& how) {
    throw ConfigError(fmt::format("this network has no ONNX form: no operator translates {} {}",
                                  node.kind().toQualString(), how),
                      {}, "export it as TorchScript");
}

}  // namespace edgeloop
