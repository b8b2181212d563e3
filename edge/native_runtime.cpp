#include "runtime.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/inference/networks.hpp"
#include "edgeloop/inference/session.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace edgeloop {
namespace {

/// The graph that is measured; with weights of the output layer's size.
inference::Graph graph_of_job(const ArchitectureSpec& spec, const MeasurementSettings& settings) {
    if (const auto problem = inference::native_problem(spec))
        throw ConfigError(*problem, {}, "measure it with another runtime");
    if (settings.weights.empty()) return inference::random_graph_of(spec);
    inference::NetworkWeights weights;
    const std::string bytes = read_file(settings.weights);
    for (const auto& [name, view] : decode_safetensors(bytes, settings.weights).tensors) {
        if (view.type != ElementType::f32)
            throw ConfigError(settings.weights + ": a tensor is not F32");
        FloatArray& array = weights.floats[name];
        array.shape = view.shape;
        array.values.resize(view.bytes.size() / sizeof(float));
        std::memcpy(array.values.data(), view.bytes.data(), view.bytes.size());
    }
    const auto bias = weights.floats.find("output.bias");
    if (bias == weights.floats.end() || bias->second.values.empty() ||
        bias->second.values.size() > 4096)
        throw ConfigError(settings.weights + ": no weights of an output layer");
    return inference::graph_of(spec, weights, static_cast<int>(bias->second.values.size()));
}

class NativeRuntime final : public Runtime {
  public:
    NativeRuntime(const ArchitectureSpec& spec, const MeasurementSettings& settings)
        : parameters_(static_cast<double>(count(spec).parameters)) {
        inference::Graph graph = graph_of_job(spec, settings);
        model_bytes_ = inference::stored_bytes(graph);
        inference::SessionOptions options;
        options.threads = settings.threads;
        session_.emplace(std::move(graph), options);
    }

    void prepare(int batch) override {
        batch_ = static_cast<std::size_t>(batch);
        clip_elements_ = static_cast<std::size_t>(session_->graph().input.elements());
        clips_.assign(batch_ * clip_elements_, 0.5F);
        results_.assign(batch_ * static_cast<std::size_t>(session_->outputs()), 0);
    }

    [[nodiscard]] float* clips() override { return clips_.data(); }

    void run() override {
        const auto outputs = static_cast<std::size_t>(session_->outputs());
        for (std::size_t i = 0; i < batch_; ++i)
            session_->run(clips_.data() + i * clip_elements_, results_.data() + i * outputs);
    }

    [[nodiscard]] Metrics facts() const override {
        return {{"parameters", parameters_},
                {"model_size_mib", static_cast<double>(model_bytes_) / bytes_per_mib}};
    }

  private:
    double parameters_;
    std::int64_t model_bytes_ = 0;
    std::optional<inference::Session> session_;
    std::size_t batch_ = 0, clip_elements_ = 0;
    std::vector<float> clips_, results_;
};

std::unique_ptr<Runtime> make_native_runtime(const Json& spec,
                                             const MeasurementSettings& settings) {
    if (settings.processor != "cpu")
        throw ConfigError("the native runtime has no kernels for " + settings.processor, {},
                          "measure on the cpu");
    return std::make_unique<NativeRuntime>(network_of(spec), settings);
}

// An object, not a version: those are part of a device's class, and this is in every agent.
void describe_native(Json& record) {
    record["native"] = {{"instructions", inference::to_string(inference::best_instructions())}};
}

const bool native_added =
    add_runtimes({{"native"}, make_native_runtime, describe_native, {}, nullptr});

}  // namespace
}  // namespace edgeloop
