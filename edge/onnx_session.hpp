#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/link/measurement.hpp"

#include <new>
#include <string>
#include <string_view>

#include <onnxruntime_cxx_api.h>

namespace edgeloop {

/// Runs `body`; memory that ONNX Runtime was refused becomes what it is everywhere else, and its
/// other errors a failure with a reason.
template <class Body>
void with_plain_onnx_errors(const Body& body) {
    try {
        body();
    } catch (const Ort::Exception& error) {
        const std::string_view text = error.what();
        for (const char* refused : {"bad_alloc", "Failed to allocate memory", "out of memory"})
            if (text.find(refused) != std::string_view::npos) throw std::bad_alloc();
        throw ConfigError("ONNX Runtime cannot run this network", std::string(text));
    }
}

/// Threads, optimisations and processor of a job. @throws ConfigError  this library has not the
/// processor.
[[nodiscard]] Ort::SessionOptions session_options(const MeasurementSettings& settings);

}  // namespace edgeloop
