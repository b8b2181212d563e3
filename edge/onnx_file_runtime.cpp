// ONNX files of anybody.
#include "file_runtime.hpp"
#include "onnx_check.hpp"
#include "onnx_session.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::array<std::pair<ONNXTensorElementDataType, ElementType>, 6> types{
    {{ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ElementType::f32},
     {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, ElementType::f16},
     {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, ElementType::u8},
     {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, ElementType::i8},
     {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, ElementType::i32},
     {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, ElementType::i64}}};

ElementType element_type(ONNXTensorElementDataType type, const std::string& of) {
    for (const auto& [theirs, ours] : types)
        if (theirs == type) return ours;
    throw ConfigError(fmt::format("{} has elements of ONNX's type {}", of, static_cast<int>(type)),
                      "float32, float16, uint8, int8, int32 and int64 are measured");
}

ONNXTensorElementDataType onnx_type(ElementType type) {
    return std::find_if(types.begin(), types.end(),
                        [type](const auto& entry) { return entry.second == type; })
        ->first;
}

class OnnxFileRuntime final : public FileRuntime {
  public:
    OnnxFileRuntime(const ModelJob& job, std::string bundle, const MeasurementSettings& settings)
        : FileRuntime(job, std::move(bundle)), environment_(ORT_LOGGING_LEVEL_FATAL, "edgeloop") {
        check_onnx(model());
        with_plain_onnx_errors([&] {
            session_.emplace(environment_, model().data(), model().size(),
                             session_options(settings));
            const Ort::AllocatorWithDefaultOptions allocator;
            for (std::size_t i = 0; i < session_->GetInputCount(); ++i)
                add_input(i, session_->GetInputNameAllocated(i, allocator).get());
            for (std::size_t i = 0; i < session_->GetOutputCount(); ++i)
                output_names_.emplace_back(session_->GetOutputNameAllocated(i, allocator).get());
        });
        for (const std::string& name : input_names_) inputs_by_name_.push_back(name.c_str());
        for (const std::string& name : output_names_) outputs_by_name_.push_back(name.c_str());
    }

    void run() override {
        with_plain_onnx_errors([this] {
            made_ = session_->Run(Ort::RunOptions{nullptr}, inputs_by_name_.data(), inputs_.data(),
                                  inputs_.size(), outputs_by_name_.data(), outputs_by_name_.size());
        });
    }

    [[nodiscard]] Metrics facts() const override { return {}; }

  protected:
    [[nodiscard]] std::vector<ModelInput> declared() const override { return declared_; }

    void set_inputs(std::vector<Tensor>& inputs) override {
        with_plain_onnx_errors([&] {
            const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
            inputs_.clear();
            for (Tensor& input : inputs)
                inputs_.push_back(Ort::Value::CreateTensor(
                    memory, input.bytes.data(), input.bytes.size(), input.shape.data(),
                    input.shape.size(), onnx_type(input.type)));
        });
    }

    [[nodiscard]] std::vector<Tensor> outputs() const override {
        std::vector<Tensor> all;
        with_plain_onnx_errors([&] {
            for (const Ort::Value& value : made_) {
                if (!value.IsTensor())
                    throw ConfigError("the model answers something that is no tensor");
                const auto info = value.GetTensorTypeAndShapeInfo();
                const ElementType type = element_type(info.GetElementType(), "an output");
                const std::size_t bytes = info.GetElementCount() * bytes_of(type);
                all.push_back({type,
                               info.GetShape(),
                               {static_cast<const char*>(value.GetTensorRawData()), bytes}});
            }
        });
        return all;
    }

  private:
    void add_input(std::size_t number, std::string name) {
        const auto type = session_->GetInputTypeInfo(number);
        if (type.GetONNXType() != ONNX_TYPE_TENSOR)
            throw ConfigError(fmt::format("input '{}' of the model is no tensor", printable(name)));
        const auto info = type.GetTensorTypeAndShapeInfo();
        ModelInput input{info.GetShape(), element_type(info.GetElementType(), "an input")};
        for (std::int64_t& length : input.shape) length = std::max<std::int64_t>(length, 0);
        declared_.push_back(std::move(input));
        input_names_.push_back(std::move(name));
    }

    Ort::Env environment_;
    std::optional<Ort::Session> session_;
    std::vector<ModelInput> declared_;
    std::vector<std::string> input_names_, output_names_;
    std::vector<const char*> inputs_by_name_, outputs_by_name_;
    std::vector<Ort::Value> inputs_, made_;
};

const bool onnx_files_added = add_file_runtimes(
    {"onnx", "tensorrt"},
    [](const ModelJob& job, std::string bundle,
       const MeasurementSettings& settings) -> std::unique_ptr<Runtime> {
        return std::make_unique<OnnxFileRuntime>(job, std::move(bundle), settings);
    });

}  // namespace
}  // namespace edgeloop
