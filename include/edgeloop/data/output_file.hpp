#pragma once

#include <string>

namespace edgeloop {

/// Refuses, before any work, the name of an output file that could not be written after it: of a
/// folder or device, or in a folder that is not there or may not be written. @throws ConfigError.
void check_output_file(const std::string& path);

}  // namespace edgeloop
