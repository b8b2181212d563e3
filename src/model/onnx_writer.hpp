#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace edgeloop {

/// Writes an ONNX model: the protobuf messages of onnx.proto3 that a network needs, IR version 8,
/// operator set 17 (github.com/onnx/onnx). Written here because LibTorch has no exporter in C++ and
/// brings its own protobuf, which a second one in the same process would clash with.
class OnnxWriter {
  public:
    using Attribute =
        std::pair<std::string, std::variant<std::int64_t, double, std::vector<std::int64_t>>>;

    /// Adds an operator; nodes must come in the order of their data.
    void add_node(const std::string& type, const std::vector<std::string>& inputs,
                  const std::string& output, const std::vector<Attribute>& attributes = {});
    /// Adds a constant. @param values  of all its elements, row major.
    void add_constant(const std::string& name, const std::vector<std::int64_t>& shape,
                      const float* values);
    void add_constant(const std::string& name, const std::vector<std::int64_t>& shape,
                      const std::vector<std::int64_t>& values);
    /// Declares a float32 input or output of the model.
    void add_input(const std::string& name, const std::vector<std::int64_t>& shape);
    void add_output(const std::string& name, const std::vector<std::int64_t>& shape);

    /// The file's bytes, with the network's specification as a property of the model.
    [[nodiscard]] std::string model(const std::string& graph, const std::string& spec) const;

  private:
    std::string nodes_, constants_, inputs_, outputs_;  // fields of a GraphProto, encoded
};

}  // namespace edgeloop
