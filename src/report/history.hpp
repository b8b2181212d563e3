#pragma once

#include "edgeloop/report/run_view.hpp"

#include <string>

namespace edgeloop::report {

/// Reads a journal as src/store/README.md describes it. Unlike a resume, it takes what it can read:
/// unknown events and fields are passed over, damaged lines counted.
/// @throws ConfigError, IoError  it cannot be opened.
[[nodiscard]] History read_history(const std::string& path);

}  // namespace edgeloop::report
