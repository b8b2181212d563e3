#include "model/onnx_writer.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/protobuf.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::int64_t ir_version = 8, operator_set = 17;
constexpr const char* qonnx_domain = "qonnx.custom_op.general";
constexpr std::size_t max_model_bytes = (std::size_t{1} << 31U) - 1;

// Numbers of onnx.proto3.
enum AttributeType {
    attribute_float = 1,
    attribute_int = 2,
    attribute_string = 3,
    attribute_ints = 7
};

std::size_t bytes_of(OnnxType type) {
    switch (type) {
        case OnnxType::int64:
            return 8;
        case OnnxType::float32:
        case OnnxType::int32:
            return 4;
        case OnnxType::float16:
            return 2;
        default:
            return 1;
    }
}

using Message = ProtobufMessage;

Message attribute(const OnnxWriter::Attribute& given) {
    Message result;
    result.text(1, given.first);
    if (const auto* integer = std::get_if<std::int64_t>(&given.second))
        result.integer(3, *integer).integer(20, attribute_int);
    else if (const auto* number = std::get_if<double>(&given.second))
        result.number(2, static_cast<float>(*number)).integer(20, attribute_float);
    else if (const auto* text = std::get_if<std::string>(&given.second))
        result.text(4, *text).integer(20, attribute_string);
    else {
        for (const std::int64_t each : std::get<std::vector<std::int64_t>>(given.second))
            result.integer(8, each);
        result.integer(20, attribute_ints);
    }
    return result;
}

Message tensor(const std::string& name, const std::vector<std::int64_t>& shape, OnnxType type,
               const void* values) {
    Message result;
    std::size_t count = 1;
    for (const std::int64_t length : shape) {
        result.integer(1, length);
        count *= static_cast<std::size_t>(length);
    }
    result.integer(2, static_cast<std::int64_t>(type)).text(8, name);
    result.text(9, {static_cast<const char*>(values), count * bytes_of(type)});  // little endian
    return result;
}

Message value_info(const std::string& name, const std::vector<std::int64_t>& shape, OnnxType type) {
    Message dimensions;
    for (const std::int64_t length : shape)
        dimensions.message(1,
                           length < 0 ? Message().text(2, "batch") : Message().integer(1, length));
    const Message described = Message().message(
        1, Message().integer(1, static_cast<std::int64_t>(type)).message(2, dimensions));
    return Message().text(1, name).message(2, described);
}

}  // namespace

void OnnxWriter::add_node(const std::string& type, const std::vector<std::string>& inputs,
                          const std::string& output, const std::vector<Attribute>& attributes) {
    add_node_of("", type, inputs, output, attributes);
}

void OnnxWriter::add_qonnx_node(const std::string& type, const std::vector<std::string>& inputs,
                                const std::string& output,
                                const std::vector<Attribute>& attributes) {
    has_qonnx_ = true;
    add_node_of(qonnx_domain, type, inputs, output, attributes);
}

void OnnxWriter::add_node_of(const char* domain, const std::string& type,
                             const std::vector<std::string>& inputs, const std::string& output,
                             const std::vector<Attribute>& attributes) {
    Message node;
    for (const std::string& input : inputs) node.text(1, input);
    node.text(2, output).text(3, type + "_" + output).text(4, type);
    for (const Attribute& each : attributes) node.message(5, attribute(each));
    if (*domain != '\0') node.text(7, domain);
    nodes_ += Message().message(1, node).bytes();
}

void OnnxWriter::add_constant(const std::string& name, const Shape& shape, OnnxType type,
                              const void* values) {
    constants_ += Message().message(5, tensor(name, shape, type, values)).bytes();
}

void OnnxWriter::add_input(const std::string& name, const Shape& shape, OnnxType type) {
    inputs_ += Message().message(11, value_info(name, shape, type)).bytes();
}

void OnnxWriter::add_output(const std::string& name, const Shape& shape) {
    outputs_ += Message().message(12, value_info(name, shape, OnnxType::float32)).bytes();
}

std::string OnnxWriter::model(const std::string& graph, const Properties& properties) const {
    Message body;
    body.append(nodes_).text(2, graph).append(constants_).append(inputs_).append(outputs_);
    Message model;
    model.integer(1, ir_version).text(2, "edgeloop").message(7, body);
    model.message(8, Message().text(1, "").integer(2, operator_set));
    if (has_qonnx_) model.message(8, Message().text(1, qonnx_domain).integer(2, 1));
    for (const auto& [key, value] : properties)
        model.message(14, Message().text(1, key).text(2, value));
    if (model.bytes().size() > max_model_bytes)
        throw ConfigError("the network is too large for an ONNX file",
                          fmt::format("it has {} bytes, and protobuf ends at {}",
                                      model.bytes().size(), max_model_bytes));
    return model.bytes();
}

}  // namespace edgeloop
