#include "edgeloop/accelerator/circuit.hpp"

#include "accelerator/depth.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/networks.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

using inference::Layer;
using inference::Operation;
using inference::TensorKind;

std::int64_t ratio_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

int bits_for(const Range& range) {
    int bits = 1;
    while (range.low < -(std::int64_t{1} << (bits - 1)) || range.high >= std::int64_t{1}
                                                                             << (bits - 1))
        ++bits;
    return bits;
}

[[noreturn]] void refuse(std::size_t index, const Layer& layer, const char* why,
                         const char* suggestion) {
    throw ConfigError(
        fmt::format("layer {} ({}) has no circuit", index, to_string(layer.operation)), why,
        suggestion);
}

/// A norm that is left is a group norm; first, because the layer before it is float for its sake.
void check_norms(const inference::Graph& graph) {
    for (std::size_t i = 0; i < graph.layers.size(); ++i)
        if (graph.layers[i].operation == Operation::norm)
            refuse(i, graph.layers[i],
                   "the statistics of a group norm depend on the clip, so it cannot be folded into "
                   "its convolution",
                   "use the norm affine or none");
}

/// @throws ConfigError  the layer cannot be part of a circuit.
void check(const inference::Graph& graph, std::size_t index) {
    const Layer& layer = graph.layers[index];
    const char* const integers =
        "quantise all layers of the design: bits of weights 1 to 8, of activations 1 to 8";
    switch (layer.operation) {
        case Operation::norm:
        case Operation::quantise:
        case Operation::dequantise:
        case Operation::add:
        case Operation::scale_channels:
            refuse(index, layer, "it computes with float32", integers);
        case Operation::depthwise:
            refuse(index, layer, "there is none for depthwise convolutions",
                   "use the family cnn3d");
        default:
            break;
    }
    if (layer.operation != Operation::max_pool && layer.integer.weight_bits == 0)
        refuse(index, layer, "it has weights of 32 bits", integers);
    if (layer.second != -1)
        refuse(index, layer, "there is none that adds an earlier layer's result",
               "use the family cnn3d");
    if (layer.input != static_cast<std::int32_t>(index))
        refuse(index, layer, "it does not read the layer before it", "use the family cnn3d");
    if (layer.operation == Operation::mean && layer.integer.output_bits == 0)
        refuse(index, layer, "its mean is float32", integers);
    if (layer.integer.output_bits == 0 && layer.operation != Operation::max_pool &&
        index + 1 != graph.layers.size())
        refuse(index, layer, "its results are float32, and it is not the last layer", integers);
}

bool is_position_by_position(const Layer& layer) {
    if (layer.operation == Operation::linear) return true;
    const inference::Triple one{1, 1, 1}, none{0, 0, 0};
    return layer.kernel == one && layer.stride == one && layer.before == none &&
           layer.after == none;
}

/// Of the sums of all windows, and of their parts.
std::vector<Range> ranges_of(const Layer& layer, const TensorKind& input) {
    const std::int64_t most = inference::activation_range(input.elements.bits).high;
    if (layer.operation == Operation::mean)
        return std::vector<Range>(static_cast<std::size_t>(input.shape.channels),
                                  {0, input.shape.positions() * most});
    std::vector<Range> ranges;
    const auto& integer = layer.integer;
    const std::size_t fan_in = integer.weights.size() / integer.bias.size();
    for (std::size_t c = 0; c < integer.bias.size(); ++c) {
        Range range{integer.bias[c], integer.bias[c]};
        for (std::size_t i = c * fan_in; i < (c + 1) * fan_in; ++i)
            (integer.weights[i] < 0 ? range.low : range.high) += integer.weights[i] * most;
        ranges.push_back(range);
    }
    return ranges;
}

UnitKind kind_of(const Layer& layer) {
    if (layer.operation == Operation::max_pool) return UnitKind::max_pool;
    if (layer.operation == Operation::mean) return UnitKind::mean;
    return is_position_by_position(layer) ? UnitKind::product : UnitKind::window;
}

const char* word_for(const Layer& layer) {
    if (layer.operation == Operation::max_pool) return "max_pool";
    return to_string(layer.operation);
}

/// Positions of the padded input.
std::int64_t steps_of(const Layer& layer, const TensorKind& input) {
    std::int64_t steps = 1;
    for (std::size_t d = 0; d < 3; ++d)
        steps *= input.shape.grid[d] + layer.before[d] + layer.after[d];
    return steps;
}

class UnitMaker {
  public:
    UnitMaker(const Circuit& circuit, const std::vector<TensorKind>& kinds)
        : circuit_(circuit),
          kinds_(kinds),
          budget_(std::int64_t{circuit.hardware.cycles} * circuit.graph.input.grid[0]) {}

    [[nodiscard]] Unit make(std::size_t index) const {
        const Layer& layer = circuit_.graph.layers[index];
        Unit unit;
        unit.kind = kind_of(layer);
        unit.name = fmt::format("layer_{}_{}", index, word_for(layer));
        unit.layer = index;
        unit.input = kinds_[index];
        unit.output = kinds_[index + 1];
        if (unit.kind == UnitKind::max_pool) return unit;
        unit.ranges = ranges_of(layer, unit.input);
        if (layer.integer.output_bits != 0)
            unit.requantisation =
                requantisation_of(layer.integer.ratios, unit.ranges, layer.integer.output_bits);
        if (unit.kind != UnitKind::mean) fold(layer, unit);
        unit.depth = depth_of(unit, layer, circuit_.hardware);
        if (unit.kind != UnitKind::mean) {
            const std::int64_t between = unit.folding.cycles() * unit.positions;
            unit.buffer =
                static_cast<int>(1 + ratio_up(unit.folding.cycles() + unit.depth + 1, between));
        }
        return unit;
    }

  private:
    void fold(const Layer& layer, Unit& unit) const {
        const inference::Shape& input = unit.input.shape;
        const std::int64_t results = unit.output.shape.positions();
        std::int64_t cycles = 0;  // of a product
        unit.window = input.channels;
        if (unit.kind == UnitKind::window) {
            for (const std::int32_t extent : layer.kernel) unit.window *= extent;
            unit.steps = steps_of(layer, unit.input);
            // The last fold of a product and the next shift share a cycle.
            cycles = 1 + (budget_ - unit.steps) / results;
        } else {
            unit.positions = input.positions() / results;
            cycles = budget_ / input.positions();
        }
        unit.folding =
            folding_of(unit.window, unit.output.shape.channels, std::max<std::int64_t>(1, cycles));
    }

    const Circuit& circuit_;
    const std::vector<TensorKind>& kinds_;
    std::int64_t budget_;  ///< cycles a clip
};

}  // namespace

Folding folding_of(std::int64_t inputs, std::int64_t outputs, std::int64_t cycles) {
    EDGELOOP_EXPECT(cycles >= 1, "a product takes a cycle at least");
    // All outputs one after the other, as long as the inputs alone can make up for it.
    std::int64_t output_folds = std::min(outputs, cycles);
    const std::int64_t input_folds = std::min(inputs, cycles / output_folds);
    Folding folding;
    folding.inputs = static_cast<int>(ratio_up(inputs, input_folds));
    folding.input_folds = static_cast<int>(ratio_up(inputs, folding.inputs));
    output_folds = std::min(outputs, cycles / folding.input_folds);
    folding.outputs = static_cast<int>(ratio_up(outputs, output_folds));
    folding.output_folds = static_cast<int>(ratio_up(outputs, folding.outputs));
    return folding;
}

std::int64_t Unit::input_width() const {
    return std::int64_t{input.shape.channels} * input.elements.bits;
}

std::int64_t Unit::output_width() const {
    const int bits = output.elements.are_real() ? accumulator_bits() : output.elements.bits;
    return std::int64_t{output.shape.channels} * bits;
}

int Unit::accumulator_bits() const {
    Range all;
    for (const Range& range : ranges)
        all = {std::min(all.low, range.low), std::max(all.high, range.high)};
    return bits_for(all);
}

std::int64_t Unit::cycles() const {
    const std::int64_t positions_in = input.shape.positions();
    switch (kind) {
        case UnitKind::window:
            return steps + output.shape.positions() * (folding.cycles() - 1);
        case UnitKind::product:
            return positions_in * folding.cycles();
        case UnitKind::mean:
            return positions_in + input.shape.channels;
        case UnitKind::max_pool:
            break;
    }
    return positions_in;
}

Circuit circuit_of(inference::Graph graph, const Hardware& hardware, const Part& part) {
    const std::vector<TensorKind> kinds = kinds_of(graph);
    check_norms(graph);
    for (std::size_t i = 0; i < graph.layers.size(); ++i) check(graph, i);
    if (hardware.multipliers == "dsp" && part.has.dsp == 0)
        throw ConfigError(fmt::format("{} has no multiplier blocks", part.title), {},
                          "use the hardware's multipliers logic");
    if (graph.layers.back().operation != Operation::linear)
        throw ConfigError("the network ends with no linear layer, so it has no circuit", {},
                          "use the family cnn3d");
    Circuit circuit{std::move(graph), hardware, part, {}};
    const UnitMaker maker(circuit, kinds);
    for (std::size_t i = 0; i < circuit.graph.layers.size(); ++i)
        circuit.units.push_back(maker.make(i));
    return circuit;
}

Circuit untrained_circuit_of(const ArchitectureSpec& spec, const Part& part) {
    if (spec.family != Cnn3d::name)
        throw ConfigError(fmt::format("a design of the family {} has no circuit", spec.family), {},
                          "use the family cnn3d");
    // What it says of a runtime is as true of circuits: they have the same integers.
    if (const auto problem = inference::native_problem(spec))
        throw ConfigError("the design has no circuit", *problem, "quantise all of its layers");
    return circuit_of(inference::random_graph_of(spec), spec.hardware.value_or(Hardware()), part);
}

Hardware hardware_of(const inference::Graph& graph) {
    const Json& metadata = graph.metadata;
    if (!metadata.is_object() || !metadata.contains("spec")) return {};
    return ArchitectureSpec::from_json(metadata.at("spec"), "the file's spec")
        .hardware.value_or(Hardware());
}

}  // namespace edgeloop::accelerator
