#pragma once

#include "edgeloop/accelerator/part.hpp"
#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/hardware.hpp"
#include "edgeloop/inference/graph.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::accelerator {

/// How a matrix-vector product is spread over time: `inputs` products of each of `outputs` sums are
/// made in a cycle. What does not divide is filled up with zeros.
struct Folding {
    int inputs = 1, outputs = 1;            ///< in parallel
    int input_folds = 1, output_folds = 1;  ///< one after the other
    [[nodiscard]] int cycles() const { return input_folds * output_folds; }
};

/// The least folding of a matrix (outputs x inputs) that takes at most so many cycles a product:
/// first more inputs at a time, then more outputs. 1 cycle is always possible.
[[nodiscard]] Folding folding_of(std::int64_t inputs, std::int64_t outputs, std::int64_t cycles);

/// How activations are made of accumulators.
enum class Rounding : std::uint8_t {
    none,        ///< accumulators come out: the last layer
    multiplier,  ///< (a m + 2^(shift - 1)) >> shift, clamped
    thresholds   ///< how many thresholds the accumulator has reached
};

/// The rule of inference/integer.hpp for the accumulators that can occur, with smaller multipliers
/// over one shift: the same results for each of them.
struct Requantisation {
    Rounding rounding = Rounding::none;
    int bits = 0;                           ///< of the results
    std::vector<std::int64_t> multipliers;  ///< (channels)
    int shift = 1;
    std::vector<std::vector<std::int64_t>> thresholds;  ///< (channels, 2^bits - 1), rising
};

/// Inclusive range of an integer.
struct Range {
    std::int64_t low = 0, high = 0;
};

/// @param ranges  of the accumulators of each channel.
[[nodiscard]] Requantisation requantisation_of(const std::vector<inference::Dyadic>& ratios,
                                               const std::vector<Range>& ranges, int bits);
/// What it gives for an accumulator of a channel.
[[nodiscard]] std::int64_t requantised(const Requantisation& rule, std::size_t channel,
                                       std::int64_t accumulator);

/// What one module of the pipeline does.
enum class UnitKind : std::uint8_t {
    window,   ///< convolution: a sliding window, then a matrix-vector product
    product,  ///< matrix-vector product of each position by itself: 1 x 1 x 1 convolutions and
              ///< linear layers
    max_pool,
    mean
};

/// One module of the pipeline: takes positions in the order (T, H, W), all channels of a position
/// at a time, and gives positions in that order.
struct Unit {
    UnitKind kind = UnitKind::window;
    std::string name;       ///< of its module and file, e.g. "layer_0_convolution"
    std::size_t layer = 0;  ///< of the graph
    inference::TensorKind input, output;
    std::int64_t steps = 0;      ///< of a window: padded positions of a clip
    std::int64_t window = 0;     ///< elements of a window; of a product those of a position
    std::int64_t positions = 1;  ///< of a product: how many add up to one result
    Folding folding;
    std::vector<Range> ranges;  ///< of the accumulators of each output
    Requantisation requantisation;
    int depth = 0;   ///< cycles from the last fold of a result to its place in the buffer
    int buffer = 2;  ///< results that its buffer holds

    /// Bits of a position that comes in, and of one that goes out.
    [[nodiscard]] std::int64_t input_width() const;
    [[nodiscard]] std::int64_t output_width() const;
    /// Bits of an accumulator, in two's complement.
    [[nodiscard]] int accumulator_bits() const;
    /// Cycles a clip that it takes at least, however fast its neighbours are.
    [[nodiscard]] std::int64_t cycles() const;
};

/// A network as a streaming pipeline for a part.
struct Circuit {
    inference::Graph graph;
    Hardware hardware;
    Part part;
    std::vector<Unit> units;
};

/// @throws ConfigError  a layer is float or of a kind that has no circuit: says which and what to
/// do;
///                      multiplier blocks on a part without any.
[[nodiscard]] Circuit circuit_of(inference::Graph graph, const Hardware& hardware,
                                 const Part& part);

/// The circuit of a design before it is trained, with weights that are always the same and mean
/// nothing. @throws ConfigError as circuit_of(); another family than cnn3d.
[[nodiscard]] Circuit untrained_circuit_of(const ArchitectureSpec& spec, const Part& part);

/// What the graph says of its accelerator in its metadata's spec, else the defaults.
[[nodiscard]] Hardware hardware_of(const inference::Graph& graph);

}  // namespace edgeloop::accelerator
