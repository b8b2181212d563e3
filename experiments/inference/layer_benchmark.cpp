// What single layers take on the native runtime in float32 and in few bits, beside what registers
// alone could do: layer_benchmark [INSTRUCTIONS]. One thread; processor time, so that neighbours do
// not count.
#include "ceilings.hpp"
#include "unit/inference/random_graphs.hpp"

#include "edgeloop/inference/session.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop::inference {
namespace {

void print_ceilings(Instructions instructions) {
    for (const auto& [what, rate] : ceilings_of(instructions))
        fmt::print("registers only, {}: {:.0f} GMAC/s\n", what, rate / 1e9);
}

struct LayerCase {
    int inputs, outputs;
    Triple kernel, grid;
};

/// A network of one layer, or without it of what is around it.
Graph graph_around(const LayerCase& layer, const GraphMaker::Low& low, bool with) {
    RandomStream random(1, "layer");
    const bool is_float = low.weight_bits == 0;
    GraphMaker maker(random, {1, layer.grid}, is_float ? Elements{} : Elements{input_bits, 115});
    const GraphMaker::Low first{is_float ? 0 : 8, low.bits};
    if (layer.inputs > 1)
        maker.convolve(Operation::convolution, layer.inputs, {1, 1, 1}, {1, 1, 1}, first);
    if (with) maker.convolve(Operation::convolution, layer.outputs, layer.kernel, {1, 1, 1}, low);
    if (maker.tensor() == 0) {  // a single-channel layer has nothing before it
        maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {is_float ? 0 : 8, 0});
        return maker.take();
    }
    maker.mean(8);
    maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {is_float ? 0 : 8, 0});
    Graph graph = maker.take();
    for (Layer& each : graph.layers)
        if (each.activation != Activation::none) each.activation = Activation::relu;
    return graph;
}

double graph_seconds(const Graph& graph, Instructions instructions) {
    SessionOptions options;
    options.instructions = instructions;
    Session session(graph, options);
    const std::vector<float> clip(static_cast<std::size_t>(graph.input.elements()), 0.1F);
    std::vector<float> result(static_cast<std::size_t>(session.outputs()));
    return seconds_of([&] { session.run(clip.data(), result.data()); });
}

int run(Instructions instructions) {
    fmt::print("{}\n", to_string(instructions));
    print_ceilings(instructions);
    const LayerCase cases[] = {
        {1, 16, {3, 3, 3}, {16, 41, 41}}, {1, 64, {5, 5, 5}, {16, 41, 41}},
        {8, 16, {3, 3, 3}, {16, 20, 20}}, {16, 32, {3, 3, 3}, {16, 20, 20}},
        {32, 32, {3, 3, 3}, {8, 20, 20}}, {64, 128, {3, 3, 3}, {8, 20, 20}},
        {64, 64, {1, 1, 1}, {8, 20, 20}}, {256, 256, {1, 1, 1}, {8, 10, 10}}};
    const struct {
        const char* name;
        GraphMaker::Low low;
    } forms[] = {{"float", {}},    {"W8A8", {8, 8}}, {"W4A4", {4, 4}}, {"W2A2", {2, 2}},
                 {"W1A4", {1, 4}}, {"W1A2", {1, 2}}, {"W1A1", {1, 1}}};
    for (const LayerCase& layer : cases) {
        const double products = double(layer.inputs) * layer.outputs * layer.kernel[0] *
                                layer.kernel[1] * layer.kernel[2] * layer.grid[0] * layer.grid[1] *
                                layer.grid[2];
        fmt::print("{} -> {}, {}x{}x{} on {}x{}x{}, {:.1f} MMAC:\n", layer.inputs, layer.outputs,
                   layer.kernel[0], layer.kernel[1], layer.kernel[2], layer.grid[0], layer.grid[1],
                   layer.grid[2], products / 1e6);
        for (const auto& form : forms) {
            const double with = graph_seconds(graph_around(layer, form.low, true), instructions);
            const double without =
                graph_seconds(graph_around(layer, form.low, false), instructions);
            const double seconds = std::max(with - without, 1e-9);
            fmt::print("    {:6} {:8.3f} ms {:6.0f} GMAC/s\n", form.name, 1e3 * seconds,
                       products / seconds / 1e9);
        }
    }
    return 0;
}

}  // namespace
}  // namespace edgeloop::inference

int main(int argc, char** argv) {
    using namespace edgeloop::inference;
    return run(argc > 1 ? instructions_from(argv[1]) : best_instructions());
}
