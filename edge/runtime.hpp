#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/link/measurement.hpp"

#include <functional>
#include <memory>

namespace edgeloop {

/// What is wrong with a network itself: no device and no setting will measure it.
class NetworkError : public ConfigError {
  public:
    using ConfigError::ConfigError;
};

/// The spec of a job. @throws NetworkError  it describes no network.
[[nodiscard]] ArchitectureSpec network_of(const Json& spec);

/// One network on one runtime, ready to be timed. Lives in the measuring process.
class Runtime {
  public:
    virtual ~Runtime() = default;
    /// Prepares an input of `batch` clips; not timed.
    virtual void prepare(int batch) = 0;
    /// One inference on the prepared input; complete when it returns, also on an accelerator.
    virtual void run() = 0;
    /// What building it showed: build_ms, model_size_mib, parameters.
    [[nodiscard]] virtual Metrics facts() const = 0;
};

/// Builds the network of a spec (JSON); settings.weights is a path.
/// @throws NetworkError for a spec that can't be built; ConfigError for what the device lacks.
using RuntimeFactory =
    std::function<std::unique_ptr<Runtime>(const Json& spec, const MeasurementSettings& settings)>;

/// Starts the compute threads of a job and makes the runtime take what it needs for any network, so
/// that a memory limit set afterwards is the network's alone. Called once, before the factory.
using RuntimePreparation = std::function<void(const MeasurementSettings& settings)>;

/// LibTorch, eager or as frozen TorchScript (settings.runtime), on the CPU or on CUDA.
[[nodiscard]] std::unique_ptr<Runtime> make_torch_runtime(const Json& spec,
                                                          const MeasurementSettings& settings);
void prepare_torch(const MeasurementSettings& settings);
/// ONNX Runtime (settings.runtime "onnx"), or TensorRT through it ("tensorrt").
/// @throws ConfigError  also in a build that found no ONNX Runtime.
[[nodiscard]] std::unique_ptr<Runtime> make_onnx_runtime(const Json& spec,
                                                         const MeasurementSettings& settings);
/// Empty in a build without it.
[[nodiscard]] std::string onnx_runtime_version();

/// Version and configuration of LibTorch for the device record.
[[nodiscard]] Json describe_torch();

}  // namespace edgeloop
