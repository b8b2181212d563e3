// In builds that found no ONNX Runtime.
#include "runtime.hpp"

#include "edgeloop/core/error.hpp"

namespace edgeloop {

std::unique_ptr<Runtime> make_onnx_runtime(const Json&, const MeasurementSettings& settings) {
    throw ConfigError("this agent was built without ONNX Runtime",
                      "runtime '" + settings.runtime + "' needs it",
                      "build it with -DCMAKE_PREFIX_PATH=<ONNX Runtime>, or measure with eager or "
                      "torchscript");
}

std::string onnx_runtime_version() { return {}; }

}  // namespace edgeloop
