#pragma once

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/rare_log.hpp"

#include <exception>

#include <fmt/format.h>

namespace edgeloop {

/// What nobody expected was thrown while doing something.
inline void report_bug(RareLog& log, const char* step, const std::exception& error) {
    log.write(log::Level::error, "unexpected",
              fmt::format("while {}: {} (this is a bug in edgeloop, please report it)", step,
                          error.what()),
              steady_seconds());
}

/// A part of a loop that goes on whatever it throws.
template <class Step>
void attempt(RareLog& log, const char* step, const Step& body) {
    try {
        body();
    } catch (const IoError& error) {
        log.warning("store", fmt::format("while {}: {}", step, error.what()), steady_seconds());
    } catch (const std::exception& error) {
        report_bug(log, step, error);
    }
}

}  // namespace edgeloop
