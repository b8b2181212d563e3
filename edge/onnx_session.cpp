#include "onnx_session.hpp"

#include <fmt/format.h>

namespace edgeloop {

Ort::SessionOptions session_options(const MeasurementSettings& settings) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(settings.threads);
    options.SetInterOpNumThreads(1);
    options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    // TensorRT takes what it can, CUDA the rest.
    try {
        if (settings.runtime == "tensorrt")
            options.AppendExecutionProvider_TensorRT(OrtTensorRTProviderOptions{});
        if (settings.processor == "cuda")
            options.AppendExecutionProvider_CUDA(OrtCUDAProviderOptions{});
    } catch (const Ort::Exception& error) {
        throw ConfigError(fmt::format("this device's ONNX Runtime has no {}",
                                      settings.runtime == "tensorrt" ? "TensorRT" : "CUDA"),
                          error.what(), "install its GPU build, or measure on the cpu");
    }
    return options;
}

}  // namespace edgeloop
