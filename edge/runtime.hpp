#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/link/measurement.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {

/// What is wrong with a network itself: no device and no setting will measure it.
class NetworkError : public ConfigError {
  public:
    using ConfigError::ConfigError;
};

/// The spec of a job. @throws NetworkError  it describes no network.
[[nodiscard]] ArchitectureSpec network_of(const Json& spec);

/// One network on one runtime, ready to be timed. Lives in the process of a job, where it can do
/// nothing but compute (sandbox.hpp), and reads no clock that counts.
class Runtime {
  public:
    virtual ~Runtime() = default;
    /// Prepares an input of `batch` clips; not timed.
    virtual void prepare(int batch) = 0;
    /// Where the clips of the prepared input lie, shape (batch, 1, frames, side, side), for whoever
    /// makes them; null: this network sees none.
    [[nodiscard]] virtual float* clips() { return nullptr; }
    /// Makes what was written there the input of run(), e.g. copies it to an accelerator.
    virtual void take_clips() {}
    /// One inference on the prepared input; complete when it returns, also on an accelerator.
    virtual void run() = 0;
    /// Of a model in a file that came with test vectors: what it answers to as many of them as a
    /// batch has, from `first` on, the last again and again: its values, vector after vector.
    [[nodiscard]] virtual std::vector<float> answers(std::size_t first) {
        throw ConfigError(fmt::format("no test vector {} for a design", first));
    }
    /// The network's size: model_size_mib, parameters.
    [[nodiscard]] virtual Metrics facts() const = 0;
};

/// Builds the network of a spec (JSON); settings.weights is a path. Models in files
/// (file_runtime.hpp) are looked through before they are loaded, if they are ONNX (onnx_check.hpp).
/// @throws NetworkError for a spec that can't be built; ConfigError for what the device lacks.
using RuntimeFactory =
    std::function<std::unique_ptr<Runtime>(const Json& spec, const MeasurementSettings& settings)>;

/// Starts the compute threads of a job and makes the runtime take what it needs for any network, so
/// that a memory limit set afterwards is the network's alone. Called once, before the factory.
using RuntimePreparation = std::function<void(const MeasurementSettings& settings)>;

/// Runtimes that one source file of the agent brings: it adds them before main() (add_runtimes).
/// With its name in CMakeLists.txt and theirs in link/measurement.cpp that is all.
struct Runtimes {
    std::vector<std::string> names;  ///< settings.runtime
    RuntimeFactory make;
    std::function<void(Json& record)> describe;  ///< adds what the device record says of runtimes
    RuntimePreparation prepare;                  ///< may be empty
    void (*at_start)(char** argv);               ///< first thing in main(); may be null
};
/// @return true.
bool add_runtimes(Runtimes added);
/// Names of those of this build.
[[nodiscard]] std::vector<std::string> runtime_names();
/// Builds the network of a job on the runtime that it asks for. @throws ConfigError  this build has
/// none.
[[nodiscard]] std::unique_ptr<Runtime> make_runtime(const Json& spec,
                                                    const MeasurementSettings& settings);
/// Versions and what they can do, for the device record.
[[nodiscard]] Json describe_runtimes();

/// What all runtimes need: see RuntimePreparation, and Runtimes::at_start.
void prepare_runtimes(const MeasurementSettings& settings);
void start_runtimes(char** argv);

}  // namespace edgeloop
