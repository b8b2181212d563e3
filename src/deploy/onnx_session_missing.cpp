#include "deploy/onnx_session.hpp"

#include "edgeloop/core/error.hpp"

// What a build without ONNX Runtime has in place of onnx_session.cpp.

namespace edgeloop {

struct OnnxSession::Impl {};

bool has_onnx_runtime() { return false; }
std::string onnx_runtime_name() { return {}; }

OnnxSession::OnnxSession(const std::string&) {
    throw LogicError("this build has no ONNX Runtime to run a model on");
}
OnnxSession::~OnnxSession() = default;
std::vector<OnnxSession::Result> OnnxSession::run(const void*, bool,
                                                  const std::vector<std::int64_t>&) {
    return {};
}

}  // namespace edgeloop
