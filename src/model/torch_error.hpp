#pragma once

#include "edgeloop/core/error.hpp"

#include <string>

#include <c10/util/Exception.h>

namespace edgeloop {

/// Runs `body`; LibTorch's exceptions leave as IoError (out of memory and the like), because no
/// foreign exception crosses a module's border.
template <class Body>
auto translate_torch_errors(const std::string& doing, Body&& body) {
    try {
        return body();
    } catch (const c10::Error& error) {
        throw IoError(doing + ": LibTorch failed", error.what_without_backtrace());
    }
}

}  // namespace edgeloop
