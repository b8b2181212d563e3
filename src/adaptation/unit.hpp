#pragma once

#include "edgeloop/inference/graph.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop::adaptation {

using inference::Operation;
using inference::Shape;
using inference::Triple;

/// How weights of integers are rounded: scale[c] times a number of the grid.
struct WeightRounding {
    int bits = 0;  ///< 0: float
    inference::WeightGrid grid = inference::WeightGrid::integers;
    std::vector<float> scales;  ///< (outputs)
};

/// How results are: to step times 0 to 2^bits - 1.
struct ResultRounding {
    int bits = 0;  ///< 0: float
    float step = 1;
};

/// A layer with the ReLU, the max-pool and the rounding that follow it: what makes one result.
/// A linear layer is a convolution whose kernel is its whole input.
struct Unit {
    Operation operation =
        Operation::convolution;  ///< also depthwise, norm, mean, max_pool, quantise
    bool is_relu = false;
    Triple kernel{1, 1, 1}, stride{1, 1, 1}, before{0, 0, 0}, pool{1, 1, 1};
    int groups = 1;
    float epsilon = 0;
    Shape input, grown, output;  ///< grown: before the pool
    std::size_t weights = 0, weight_count = 0, biases = 0, bias_count = 0;  ///< in the parameters
    WeightRounding weight_rounding;
    ResultRounding result_rounding;
    double input_step = 1;  ///< of an integer layer
    int input_zero = 0;
    std::size_t layer = 0;  ///< of the graph: the one that has the weights

    [[nodiscard]] std::size_t fan_in() const {
        return weight_count / static_cast<std::size_t>(grown.channels);
    }
    [[nodiscard]] bool is_linear() const {
        return grown.positions() == 1 && kernel == input.grid && before == Triple{0, 0, 0};
    }
    [[nodiscard]] int pool_volume() const { return pool[0] * pool[1] * pool[2]; }
    [[nodiscard]] std::int64_t multiply_adds() const;
};

/// Which element of its pool's window a result is, or dead: no gradient passes, because ReLU or
/// the rounding cut it off.
using Choice = std::uint8_t;
constexpr Choice dead = 255;

/// Units of a graph whose layers follow one after the other; their weights leave the graph for
/// `parameters`.
/// @throws ConfigError  there is a layer that is none of Unit.
[[nodiscard]] std::vector<Unit> take_units(inference::Graph& graph, std::vector<float>& parameters);

/// The way back. @throws ConfigError  a bias does not fit.
void put_back(const std::vector<Unit>& units, const std::vector<float>& parameters,
              inference::Graph& graph);

/// The weights that a forward pass sees, of outputs [first, end): rounded where they will be.
void effective_weights(const Unit& unit, const float* parameters, std::size_t first,
                       std::size_t end, float* weights);

}  // namespace edgeloop::adaptation
