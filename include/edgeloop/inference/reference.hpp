#pragma once

#include "edgeloop/inference/graph.hpp"

#include <cstdint>
#include <vector>

namespace edgeloop::inference {

/// A tensor of one clip, in the order (T, H, W, C); of the two lists one is filled.
struct Values {
    std::vector<float> real;
    std::vector<std::uint8_t> integers;
};

/// Runs a graph in plain loops, by the letter of graph.hpp and integer.hpp: what every kernel is
/// held against. Integers are exact; float sums are in double.
///
/// @param clip  as the graph's input says.
/// @return of all tensors, the clip first.
/// @throws ConfigError  as kinds_of(); the clip has another size.
[[nodiscard]] std::vector<Values> evaluate(const Graph& graph, Values clip);

/// Integers of a clip of normalised floats: x / scale + zero, where the graph's metadata has the
/// deviation (input_scale()). REQUIRES: a graph whose input is integers.
[[nodiscard]] std::uint8_t clip_integer(float x, float inverse_scale, int zero);

}  // namespace edgeloop::inference
