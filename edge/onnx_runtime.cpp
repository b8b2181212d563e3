#include "onnx_check.hpp"
#include "onnx_session.hpp"
#include "runtime.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/model/onnx.hpp"

#include <array>
#include <optional>
#include <vector>

#include <onnxruntime_cxx_api.h>

namespace edgeloop {
namespace {

class OnnxRuntime final : public Runtime {
  public:
    OnnxRuntime(ArchitectureSpec spec, const MeasurementSettings& settings)
        : spec_(std::move(spec)),
          weights_(settings.weights),
          environment_(ORT_LOGGING_LEVEL_FATAL, "edgeloop"),
          options_(session_options(settings)) {}

    void prepare(int batch) override {
        const std::string model = export_onnx(spec_, weights_, batch);
        check_onnx(model);
        with_plain_onnx_errors([&] {
            session_.emplace(environment_, model.data(), model.size(), options_);
            const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
            const auto [frames, side] = std::pair(spec_.clip.frames, spec_.clip.side);
            const std::array<std::int64_t, 5> in{batch, 1, frames, side, side};
            const std::vector<std::int64_t> out =
                session_->GetOutputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
            clips_.assign(static_cast<std::size_t>(batch) * frames * side * side, 0.5F);
            targets_.assign(static_cast<std::size_t>(out.at(0) * out.at(1)), 0);
            inputs_ = Ort::Value::CreateTensor<float>(memory, clips_.data(), clips_.size(),
                                                      in.data(), in.size());
            outputs_ = Ort::Value::CreateTensor<float>(memory, targets_.data(), targets_.size(),
                                                       out.data(), out.size());
        });
    }

    [[nodiscard]] float* clips() override { return clips_.data(); }

    void run() override {
        with_plain_onnx_errors([this] {
            const char* const in = "clips";
            const char* const out = "targets";
            session_->Run(Ort::RunOptions{nullptr}, &in, &inputs_, 1, &out, &outputs_, 1);
        });
    }

    [[nodiscard]] Metrics facts() const override {
        const ModelCounts counts = count(spec_);
        return {{"parameters", static_cast<double>(counts.parameters)},
                {"model_size_mib", static_cast<double>(counts.weight_bytes) / bytes_per_mib}};
    }

  private:
    ArchitectureSpec spec_;
    std::string weights_;
    Ort::Env environment_;
    Ort::SessionOptions options_;
    std::optional<Ort::Session> session_;
    std::vector<float> clips_, targets_;
    Ort::Value inputs_{nullptr}, outputs_{nullptr};
};

std::unique_ptr<Runtime> make_onnx_runtime(const Json& spec, const MeasurementSettings& settings) {
    std::unique_ptr<Runtime> runtime;
    with_plain_onnx_errors(
        [&] { runtime = std::make_unique<OnnxRuntime>(network_of(spec), settings); });
    return runtime;
}

const bool onnx_added =
    add_runtimes({{"onnx", "tensorrt"},
                  make_onnx_runtime,
                  [](Json& record) { record["onnxruntime"] = Ort::GetVersionString(); },
                  {},
                  nullptr});

}  // namespace

}  // namespace edgeloop
