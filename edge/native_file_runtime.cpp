// .elm files of anybody: edgeloop's own runtime, which needs no LibTorch.
#include "file_runtime.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/model_file.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {
namespace {

inference::Graph graph_in(std::string_view bytes) {
    try {
        return inference::decode_model(bytes, "the model");
    } catch (const CorruptState& error) {  // of this process's state nothing is corrupt
        throw ConfigError(error.problem(), error.why(), error.suggestion());
    }
}

class NativeFileRuntime final : public FileRuntime {
  public:
    NativeFileRuntime(const ModelJob& job, std::string bundle, const MeasurementSettings& settings)
        : FileRuntime(job, std::move(bundle)) {
        inference::Graph graph = graph_in(model());
        parameters_ = static_cast<double>(inference::parameters(graph));
        inference::SessionOptions options;
        options.threads = settings.threads;
        network_ = std::make_unique<inference::CropModel>(std::move(graph), options);
        const std::vector<ModelInput> inputs = given();
        takes_crops_ = !inputs.empty() && inputs.front().type == ElementType::u8;
    }

    void run() override {
        const std::size_t targets = network_->targets().size();
        for (std::size_t i = 0; i < batch_; ++i) {
            float* const results = results_.data() + i * targets;
            const char* const clip = clips_ + i * clip_bytes_;
            if (takes_crops_)
                network_->run(reinterpret_cast<const std::uint8_t*>(clip), results);
            else
                network_->run_clip(reinterpret_cast<const float*>(clip), results);
        }
    }

    [[nodiscard]] Metrics facts() const override { return {{"parameters", parameters_}}; }

  protected:
    [[nodiscard]] std::vector<ModelInput> declared() const override {
        const std::int64_t frames = network_->frames(), side = network_->side();
        if (takes_crops_) return {{{0, frames, crop_side, crop_side}, ElementType::u8}};
        return {{{0, 1, frames, side, side}, ElementType::f32}};
    }

    void set_inputs(std::vector<Tensor>& inputs) override {
        const Tensor& clips = inputs.front();
        batch_ = static_cast<std::size_t>(clips.shape.front());
        clip_bytes_ = clips.bytes.size() / batch_;
        clips_ = clips.bytes.data();
        results_.assign(batch_ * network_->targets().size(), 0);
    }

    /// Of crops in their units, of clips divided by their scales, as an exported file has them.
    [[nodiscard]] std::vector<Tensor> outputs() const override {
        const std::vector<inference::OutputTarget>& targets = network_->targets();
        std::vector<float> values = results_;
        if (!takes_crops_)
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] =
                    static_cast<float>(double(values[i]) / targets[i % targets.size()].scale);
        std::string bytes(values.size() * sizeof(float), '\0');
        std::memcpy(bytes.data(), values.data(), bytes.size());
        return {{ElementType::f32,
                 {static_cast<std::int64_t>(batch_), static_cast<std::int64_t>(targets.size())},
                 std::move(bytes)}};
    }

  private:
    double parameters_ = 0;
    std::unique_ptr<inference::CropModel> network_;
    bool takes_crops_ = false;
    std::size_t batch_ = 0, clip_bytes_ = 0;
    const char* clips_ = nullptr;
    std::vector<float> results_;
};

const bool native_files_added = add_file_runtimes(
    {"native"},
    [](const ModelJob& job, std::string bundle,
       const MeasurementSettings& settings) -> std::unique_ptr<Runtime> {
        if (settings.processor != "cpu")
            throw ConfigError("the native runtime has no kernels for " + settings.processor, {},
                              "measure on the cpu");
        return std::make_unique<NativeFileRuntime>(job, std::move(bundle), settings);
    });

}  // namespace
}  // namespace edgeloop
