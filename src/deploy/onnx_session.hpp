#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// An ONNX model on ONNX Runtime, on one thread; where the build found none, has_onnx_runtime() is
/// false and nothing else may be called.
[[nodiscard]] bool has_onnx_runtime();
/// "ONNX Runtime 1.21.0".
[[nodiscard]] std::string onnx_runtime_name();

class OnnxSession {
  public:
    /// @throws ConfigError  the runtime refuses the model.
    explicit OnnxSession(const std::string& model);
    ~OnnxSession();
    OnnxSession(const OnnxSession&) = delete;
    OnnxSession& operator=(const OnnxSession&) = delete;

    struct Result {
        std::vector<std::int64_t> shape;
        std::vector<float> values;
    };
    /// @param input  elements of the model's "clips": uint8 or float32.
    /// @return its outputs in their order. @throws ConfigError, std::bad_alloc.
    [[nodiscard]] std::vector<Result> run(const void* input, bool bytes,
                                          const std::vector<std::int64_t>& shape);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
