#include "model/onnx_translator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <torch/script.h>

namespace edgeloop {

std::string OnnxTranslator::addition(const Node& node) {
    if (value(node, 2).toScalar().toDouble() != 1) refuse(node, "with a factor");
    return add("Add", {input(node, 0), input(node, 1)});
}

std::string OnnxTranslator::product(const Node& node) {
    return add("Mul", {input(node, 0), input(node, 1)});
}
std::string OnnxTranslator::matrix_product(const Node& node) {
    return add("MatMul", {input(node, 0), input(node, 1)});
}

std::string OnnxTranslator::relu(const Node& node) { return add("Relu", {input(node, 0)}); }
std::string OnnxTranslator::sigmoid(const Node& node) { return add("Sigmoid", {input(node, 0)}); }
std::string OnnxTranslator::silu(const Node& node) {
    return add("Mul", {input(node, 0), sigmoid(node)});
}
std::string OnnxTranslator::gelu(const Node& node) {
    if (value(node, 1).toStringRef() != "none") refuse(node, "approximated");
    const std::string x = input(node, 0);
    const std::string erf = add("Erf", {add("Div", {x, constant(std::sqrt(2.0))})});
    const std::string product = add("Mul", {x, add("Add", {erf, constant(1.0)})});
    return add("Mul", {product, constant(0.5)});
}

std::string OnnxTranslator::softmax(const Node& node) {
    return add("Softmax", {input(node, 0)}, {{"axis", axis(node, 1)}});
}

std::string OnnxTranslator::linear(const Node& node) {
    const bool bias = !value(node, 2).isNone();
    if (tensor(node, 0).dim() == 2) {
        std::vector<std::string> inputs{input(node, 0), input(node, 1)};
        if (bias) inputs.push_back(input(node, 2));
        return add("Gemm", inputs, {{"transB", std::int64_t{1}}});
    }
    const QuantisedNode* whole = quantised_node(node);
    std::string weight;
    if (whole == nullptr) {
        weight = constant(tensor(node, 1).t());
    } else {
        const QuantisedWeight integers = quantised(tensor(node, 1));
        weight = whole_weight(integers.integers.t(), 1, integers);
    }
    const std::string product = add("MatMul", {first_input(node), weight});
    return bias ? add("Add", {product, input(node, 2)}) : product;
}

std::string OnnxTranslator::convolution(const Node& node) {
    if (value(node, 6).toBool()) refuse(node, "transposed");
    const QuantisedNode* whole = quantised_node(node);
    const bool bias = !value(node, 2).isNone();
    std::vector<std::string> inputs{first_input(node)};
    if (whole == nullptr) {
        inputs.push_back(input(node, 1));
        if (bias) inputs.push_back(input(node, 2));
    } else {
        const QuantisedWeight integers = quantised(tensor(node, 1));
        inputs.push_back(whole_weight(integers.integers, 0, integers));
        if (bias)
            inputs.push_back(
                whole_bias(tensor(node, 2), whole->input.scale().scale, integers.scales));
    }
    Shape pads = integers(node, 4);
    pads.insert(pads.end(), pads.begin(), pads.end());  // before and after
    const std::string result = add("Conv", inputs,
                                   {{"strides", integers(node, 3)},
                                    {"pads", pads},
                                    {"dilations", integers(node, 5)},
                                    {"group", integer(node, 8)}});
    return whole == nullptr ? result : rounded(result, whole->output);
}

std::string OnnxTranslator::max_pool(const Node& node) {
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
std::string OnnxTranslator::group_norm(const Node& node) {
    const torch::Tensor x = tensor(node, 0);
    const std::int64_t groups = integer(node, 1);
    const std::vector<OnnxWriter::Attribute> attributes{{"epsilon", value(node, 4).toDouble()}};
    if (groups == x.size(1))
        return add("InstanceNormalization", {input(node, 0), input(node, 2), input(node, 3)},
                   attributes);
    const std::string grouped = reshaped(input(node, 0), {0, groups, -1});  // 0: as it is
    const std::string normalised =
        add("InstanceNormalization",
            {grouped, constant(torch::ones(groups)), constant(torch::zeros(groups))}, attributes);
    Shape shape = x.sizes().vec(), per_channel(shape.size() - 1, 1);
    shape.front() = 0;
    per_channel[0] = x.size(1);
    const std::string scaled =
        add("Mul", {reshaped(normalised, shape), constant(tensor(node, 2).reshape(per_channel))});
    return add("Add", {scaled, constant(tensor(node, 3).reshape(per_channel))});
}

std::string OnnxTranslator::layer_norm(const Node& node) {
    const auto over = static_cast<std::int64_t>(integers(node, 1).size());
    return add("LayerNormalization", {input(node, 0), input(node, 2), input(node, 3)},
               {{"axis", -over}, {"epsilon", value(node, 4).toDouble()}});
}

std::string OnnxTranslator::mean(const Node& node) {
    Shape axes = integers(node, 1);
    return add("ReduceMean", {input(node, 0)},
               {{"axes", axes}, {"keepdims", std::int64_t{value(node, 2).toBool()}}});
}

// LibTorch: pairs from the last dimension on. ONNX: all beginnings, then all ends.
std::string OnnxTranslator::pad(const Node& node) {
    const Shape pairs = integers(node, 1);
    const auto rank = static_cast<std::size_t>(tensor(node, 0).dim());
    Shape pads(2 * rank, 0);
    for (std::size_t i = 0; i < pairs.size() / 2; ++i) {
        pads[rank - 1 - i] = pairs[2 * i];
        pads[2 * rank - 1 - i] = pairs[2 * i + 1];
    }
    return add("Pad", {input(node, 0), constant(pads), input(node, 2)});
}

std::string OnnxTranslator::reshape(const Node& node) {
    return reshaped(input(node, 0), result_shape(node));
}
std::string OnnxTranslator::same(const Node& node) { return input(node, 0); }
std::string OnnxTranslator::permute(const Node& node) {
    return add("Transpose", {input(node, 0)}, {{"perm", integers(node, 1)}});
}

std::string OnnxTranslator::transpose(const Node& node) {
    Shape order(static_cast<std::size_t>(tensor(node, 0).dim()));
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[static_cast<std::size_t>(axis(node, 1))],
              order[static_cast<std::size_t>(axis(node, 2))]);
    return add("Transpose", {input(node, 0)}, {{"perm", order}});
}

std::string OnnxTranslator::select(const Node& node) {
    const std::int64_t along = axis(node, 1), length = tensor(node, 0).size(along);
    const std::string index = fresh();
    writer_.add_constant(index, {}, {(integer(node, 2) + length) % length});
    return add("Gather", {input(node, 0), index}, {{"axis", along}});
}

std::string OnnxTranslator::slice(const Node& node) {
    const std::int64_t length = tensor(node, 0).size(axis(node, 1));
    const auto bound = [&](std::size_t i, std::int64_t otherwise) {
        return value(node, i).isNone() ? otherwise : std::min(integer(node, i), length);
    };
    return part(input(node, 0), axis(node, 1), bound(2, 0), bound(3, length), integer(node, 4));
}

std::string OnnxTranslator::roll(const Node& node) {
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

std::string OnnxTranslator::concatenation(const Node& node) {
    std::vector<std::string> parts;
    for (const Value* each : node.inputs().at(0)->node()->inputs()) parts.push_back(name_of(each));
    return add("Concat", parts, {{"axis", integer(node, 1)}});
}

std::string OnnxTranslator::choice(const Node& node) {
    return add("Where", {input(node, 0), input(node, 1), input(node, 2)});
}

std::string OnnxTranslator::gather(const Node& node) {
    return add("Gather", {input(node, 0), input(node, 2)}, {{"axis", axis(node, 1)}});
}

std::string OnnxTranslator::conversion(const Node& node) {
    if (values_.at(node.output()).value.toTensor().scalar_type() != torch::kFloat)
        refuse(node, "to another type than float32");
    return tensor(node, 0).scalar_type() == torch::kFloat ? input(node, 0)
                                                          : cast(input(node, 0), OnnxType::float32);
}

std::string OnnxTranslator::resize(const Node& node) {
    if (value(node, 2).toBool()) refuse(node, "with aligned corners");
    const torch::Tensor from = tensor(node, 0);
    const Shape to = integers(node, 1);
    // A runtime rounds length * scale down to the new length.
    const auto scale = [&](std::size_t i) {
        return std::nextafter(static_cast<float>(to[i]) /
                                  static_cast<float>(from.size(static_cast<std::int64_t>(i) + 2)),
                              std::numeric_limits<float>::infinity());
    };
    const std::string scales =
        single_constant(torch::tensor({1.0F, 1.0F, scale(0), scale(1)}, torch::kFloat));
    return add("Resize", {input(node, 0), "", scales},
               {{"mode", std::string("linear")},
                {"coordinate_transformation_mode", std::string("half_pixel")}});
}

const std::map<std::string_view, OnnxTranslator::Translation>& OnnxTranslator::translations() {
    static const std::map<std::string_view, Translation> table = {
        {"aten::_convolution", &OnnxTranslator::convolution},
        {"aten::add", &OnnxTranslator::addition},
        {"aten::add_", &OnnxTranslator::addition},
        {"aten::cat", &OnnxTranslator::concatenation},
        {"aten::constant_pad_nd", &OnnxTranslator::pad},
        {"aten::contiguous", &OnnxTranslator::same},
        {"aten::flatten", &OnnxTranslator::reshape},
        {"aten::gelu", &OnnxTranslator::gelu},
        {"aten::group_norm", &OnnxTranslator::group_norm},
        {"aten::index_select", &OnnxTranslator::gather},
        {"aten::layer_norm", &OnnxTranslator::layer_norm},
        {"aten::linear", &OnnxTranslator::linear},
        {"aten::matmul", &OnnxTranslator::matrix_product},
        {"aten::max_pool3d", &OnnxTranslator::max_pool},
        {"aten::mean", &OnnxTranslator::mean},
        {"aten::mul", &OnnxTranslator::product},
        {"aten::permute", &OnnxTranslator::permute},
        {"aten::relu", &OnnxTranslator::relu},
        {"aten::reshape", &OnnxTranslator::reshape},
        {"aten::roll", &OnnxTranslator::roll},
        {"aten::select", &OnnxTranslator::select},
        {"aten::sigmoid", &OnnxTranslator::sigmoid},
        {"aten::silu", &OnnxTranslator::silu},
        {"aten::slice", &OnnxTranslator::slice},
        {"aten::softmax", &OnnxTranslator::softmax},
        {"aten::to", &OnnxTranslator::conversion},
        {"aten::transpose", &OnnxTranslator::transpose},
        {"aten::unsqueeze", &OnnxTranslator::reshape},
        {"aten::upsample_bilinear2d", &OnnxTranslator::resize},
        {"aten::where", &OnnxTranslator::choice},
    };
    return table;
}

}  // namespace edgeloop
