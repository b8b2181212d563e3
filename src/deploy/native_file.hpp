#pragma once

#include "deploy/exported_network.hpp"

#include "edgeloop/deploy/stored_network.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// Bytes of an .elm file (src/inference/README.md).
/// @throws ConfigError  as native_graph().
[[nodiscard]] std::string native_file_of(const StoredNetwork& network,
                                         const std::vector<Target>& targets);
/// Runs it, on crops or on clips.
[[nodiscard]] FileRunner native_runner(const std::string& bytes);
/// Of this processor: "edgeloop's runtime with avx2".
[[nodiscard]] std::string native_runtime_name();

}  // namespace edgeloop
