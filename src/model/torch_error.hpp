#pragma once

#include "edgeloop/core/error.hpp"

#include <new>
#include <string>
#include <string_view>

#include <c10/util/Exception.h>

namespace edgeloop {

/// Runs `body`; memory that LibTorch was refused, for which it has no type of its own, becomes
/// std::bad_alloc.
template <class Body>
auto with_bad_alloc(Body&& body) {
    try {
        return body();
    } catch (const c10::Error& error) {
        const std::string_view text = error.what();
        if (text.find("can't allocate memory") != std::string_view::npos) throw std::bad_alloc();
        throw;
    }
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
