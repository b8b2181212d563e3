#include "deploy/onnx_session.hpp"

#include "edgeloop/core/error.hpp"

#include <cstddef>
#include <functional>
#include <new>
#include <numeric>
#include <string_view>

#include <onnxruntime_cxx_api.h>

namespace edgeloop {
namespace {

template <class Body>
auto with_plain_errors(const Body& body) {
    try {
        return body();
    } catch (const Ort::Exception& error) {
        const std::string_view text = error.what();
        for (const char* refused : {"bad_alloc", "Failed to allocate memory", "out of memory"})
            if (text.find(refused) != std::string_view::npos) throw std::bad_alloc();
        throw ConfigError("ONNX Runtime cannot run this model", std::string(text));
    }
}

}  // namespace

struct OnnxSession::Impl {
    Ort::Env environment{ORT_LOGGING_LEVEL_FATAL, "edgeloop"};
    Ort::Session session{nullptr};
    std::vector<std::string> outputs;
};

bool has_onnx_runtime() { return true; }

std::string onnx_runtime_name() {
    return std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString();
}

OnnxSession::OnnxSession(const std::string& model) : impl_(std::make_unique<Impl>()) {
    with_plain_errors([&] {
        Ort::SessionOptions options;
        options.SetIntraOpNumThreads(1);
        options.SetInterOpNumThreads(1);
        options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
        impl_->session = Ort::Session(impl_->environment, model.data(), model.size(), options);
        const Ort::AllocatorWithDefaultOptions allocator;
        for (std::size_t i = 0; i < impl_->session.GetOutputCount(); ++i)
            impl_->outputs.emplace_back(impl_->session.GetOutputNameAllocated(i, allocator).get());
    });
}

OnnxSession::~OnnxSession() = default;

std::vector<OnnxSession::Result> OnnxSession::run(const void* input, bool bytes,
                                                  const std::vector<std::int64_t>& shape) {
    return with_plain_errors([&] {
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        const auto count = static_cast<std::size_t>(std::accumulate(
            shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<std::int64_t>()));
        // The runtime takes no const memory; nothing writes there.
        const Ort::Value clips = Ort::Value::CreateTensor(
            memory, const_cast<void*>(input), count * (bytes ? 1 : sizeof(float)), shape.data(),
            shape.size(),
            bytes ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
        const char* const in = "clips";
        std::vector<const char*> names;
        for (const std::string& name : impl_->outputs) names.push_back(name.c_str());
        const std::vector<Ort::Value> values = impl_->session.Run(
            Ort::RunOptions{nullptr}, &in, &clips, 1, names.data(), names.size());
        std::vector<Result> results;
        for (const Ort::Value& value : values) {
            const auto described = value.GetTensorTypeAndShapeInfo();
            const float* first = value.GetTensorData<float>();
            results.push_back({described.GetShape(), {first, first + described.GetElementCount()}});
        }
        return results;
    });
}

}  // namespace edgeloop
