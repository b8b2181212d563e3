#pragma once

#include "edgeloop/inference/graph.hpp"

#include <string>
#include <string_view>

namespace edgeloop::inference {

/// A graph as bytes of an .elm file; src/inference/README.md has the format.
/// @throws ConfigError  as kinds_of().
[[nodiscard]] std::string encode_model(const Graph& graph);

/// The graph of an .elm file. Every count is checked against the bytes at hand before anything is
/// allocated for it: at most 16 times as many bytes as the file has.
///
/// @param where  named in errors.
/// @throws CorruptState  short, of another kind or version, damaged; ConfigError as kinds_of().
[[nodiscard]] Graph decode_model(std::string_view bytes, const std::string& where);

/// @throws as decode_model() and read_file().
[[nodiscard]] Graph read_model(const std::string& path);

}  // namespace edgeloop::inference
