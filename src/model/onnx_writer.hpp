#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace edgeloop {

/// Types of elements, as onnx.proto3 numbers them.
enum class OnnxType : std::uint8_t {
    float32 = 1,
    uint8 = 2,
    int8 = 3,
    int32 = 6,
    int64 = 7,
    boolean = 9,
    float16 = 10
};

/// Writes an ONNX model: the protobuf messages of onnx.proto3 that a network needs, IR version 8,
/// operator set 17 (github.com/onnx/onnx). Written here because LibTorch has no exporter in C++ and
/// brings its own protobuf, which a second one in the same process would clash with.
class OnnxWriter {
  public:
    using Shape = std::vector<std::int64_t>;
    using Attribute =
        std::pair<std::string, std::variant<std::int64_t, double, Shape, std::string>>;
    using Properties = std::vector<std::pair<std::string, std::string>>;

    /// Adds an operator; nodes must come in the order of their data.
    void add_node(const std::string& type, const std::vector<std::string>& inputs,
                  const std::string& output, const std::vector<Attribute>& attributes = {});
    /// Adds an operator of QONNX, of its version 1.
    void add_qonnx_node(const std::string& type, const std::vector<std::string>& inputs,
                        const std::string& output, const std::vector<Attribute>& attributes = {});
    /// Adds a constant. @param values  of all its elements, row major, little endian.
    void add_constant(const std::string& name, const Shape& shape, OnnxType type,
                      const void* values);
    void add_constant(const std::string& name, const Shape& shape, const Shape& values) {
        add_constant(name, shape, OnnxType::int64, values.data());
    }
    /// Declares an input or output of the model. A negative length is free: the batch.
    void add_input(const std::string& name, const Shape& shape, OnnxType type);
    void add_output(const std::string& name, const Shape& shape);

    /// The file's bytes. @param properties  of the model, for whoever reads its metadata.
    /// @throws ConfigError  more bytes than protobuf allows.
    [[nodiscard]] std::string model(const std::string& graph, const Properties& properties) const;

  private:
    void add_node_of(const char* domain, const std::string& type,
                     const std::vector<std::string>& inputs, const std::string& output,
                     const std::vector<Attribute>& attributes);

    bool has_qonnx_ = false;
    std::string nodes_, constants_, inputs_, outputs_;  // fields of a GraphProto, encoded
};

}  // namespace edgeloop
