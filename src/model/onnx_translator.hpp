#pragma once

#include "model/onnx_writer.hpp"
#include "model/quantisation.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/types.h>

namespace edgeloop {

/// What an ONNX file is to be like.
struct OnnxForm {
    bool free_batch = false;
    bool half = false;  ///< weights and results in float16; input and output stay float32
    const QuantisedNodes* quantised = nullptr;  ///< in QDQ form; null: nothing is
};

/// Translates a frozen graph, operator by operator. Each is also run on an example, which tells the
/// shapes; what depends on constants alone becomes a constant.
class OnnxTranslator {
  public:
    /// @param example  an input of the fixed batch size, or of any where it is free.
    /// REQUIRES: they outlive the translator.
    OnnxTranslator(const torch::jit::Graph& graph, const torch::Tensor& example,
                   const OnnxForm& form);
    /// The input is called "clips", the output "targets"; those of layers "layer1", "layer2", ...
    /// @throws ConfigError  an operator without a translation.
    [[nodiscard]] OnnxWriter translate();

  private:
    using IValue = torch::jit::IValue;
    using Node = torch::jit::Node;
    using Value = torch::jit::Value;
    using Shape = std::vector<std::int64_t>;
    struct Known {
        IValue value;      ///< for the example
        std::string name;  ///< in the model; a constant gets one when an operator needs it
        bool constant = true;
        bool single = false;    ///< in a file of float16: it is float32 or integers
        std::string half_name;  ///< of its conversion, once there is one
        std::size_t seen = 0;   ///< users that were translated
    };
    using Translation = std::string (OnnxTranslator::*)(const Node&);

    // Inputs of an operator.
    [[nodiscard]] const IValue& value(const Node& node, std::size_t i) const;
    [[nodiscard]] torch::Tensor tensor(const Node& node, std::size_t i) const;
    [[nodiscard]] std::int64_t integer(const Node& node, std::size_t i) const;
    [[nodiscard]] Shape integers(const Node& node, std::size_t i) const;
    /// Input i as an axis of input 0.
    [[nodiscard]] std::int64_t axis(const Node& node, std::size_t i) const;
    /// Of the example; -1 first where the batch is free.
    [[nodiscard]] Shape result_shape(const Node& node) const;
    std::string name_of(const Value* of);
    std::string input(const Node& node, std::size_t i);

    // Parts of the model.
    std::string fresh();
    std::string constant(const Shape& values);
    std::string constant(const torch::Tensor& values);
    std::string constant(double number);
    /// Floats that stay float32 in a file of float16.
    std::string single_constant(const torch::Tensor& values);
    std::string add(const std::string& type, const std::vector<std::string>& inputs,
                    const std::vector<OnnxWriter::Attribute>& attributes = {});
    std::string reshaped(const std::string& name, const Shape& shape);
    std::string cast(const std::string& name, OnnxType type);
    std::string part(const std::string& name, std::int64_t along, std::int64_t from,
                     std::int64_t to, std::int64_t step = 1);

    // Quantised layers; null where a node is not.
    [[nodiscard]] const QuantisedNode* quantised_node(const Node& node) const;
    std::string rounded(const std::string& name, const ValueRange& range);
    std::string whole_weight(const torch::Tensor& weight, std::int64_t channel_axis,
                             const QuantisedWeight& quantised);
    std::string whole_bias(const torch::Tensor& bias, float input_scale,
                           const torch::Tensor& weight_scales);
    std::string first_input(const Node& node);

    void take(const Node& node);
    void forget(const Value* value);
    /// Whether it only prepares the input: conversions and arithmetic with numbers.
    [[nodiscard]] bool prepares(const Node& node) const;
    void add_outputs();

    // One for each operator, or for those that translate alike. They return the result's name.
    std::string addition(const Node& node);
    std::string product(const Node& node);
    std::string matrix_product(const Node& node);
    std::string relu(const Node& node);
    std::string sigmoid(const Node& node);
    std::string silu(const Node& node);
    std::string gelu(const Node& node);
    std::string softmax(const Node& node);
    std::string linear(const Node& node);
    std::string convolution(const Node& node);
    std::string max_pool(const Node& node);
    std::string group_norm(const Node& node);
    std::string layer_norm(const Node& node);
    std::string mean(const Node& node);
    std::string pad(const Node& node);
    std::string reshape(const Node& node);
    std::string same(const Node& node);
    std::string permute(const Node& node);
    std::string transpose(const Node& node);
    std::string select(const Node& node);
    std::string slice(const Node& node);
    std::string roll(const Node& node);
    std::string concatenation(const Node& node);
    std::string choice(const Node& node);
    std::string gather(const Node& node);
    std::string conversion(const Node& node);
    std::string resize(const Node& node);

    [[noreturn]] static void refuse(const Node& node, const std::string& how = {});
    static const std::map<std::string_view, Translation>& translations();

    const torch::jit::Graph& graph_;
    OnnxForm form_;
    OnnxWriter writer_;
    std::map<const Value*, Known> values_;
    std::map<std::string, std::string> rounded_;  ///< values that were quantised
    int names_ = 0;
};

}  // namespace edgeloop
