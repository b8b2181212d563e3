#pragma once

#include "edgeloop/core/error.hpp"

#include <string>
#include <string_view>

#include <c10/util/Exception.h>

namespace edgeloop {

/// Whether LibTorch was refused memory; it has no type of its own for that.
inline bool is_out_of_memory(const c10::Error& error) {
    return std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
}

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
