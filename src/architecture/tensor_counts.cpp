#include "edgeloop/architecture/layer_list.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

/// Merges the cores of one side of tt, without the batch: FLOPs, and elements that stay.
struct Merged {
    double flops = 0;
    double kept = 0;  ///< of all products of two cores and more
};

/// From the outer end to the middle; `outer` and `inner` are the bonds of a core on that side.
void merge(Merged& merged, double width_before, int outer, int mode, int inner) {
    if (width_before == 0) return;  // the first core is none
    merged.flops += 2 * width_before * outer * mode * inner;
    merged.kept += width_before * mode * inner;
}

Merged merged_train(const std::vector<TrainCore>& cores) {
    const std::size_t half = cores.size() / 2;
    Merged merged;
    double width = 0;
    for (std::size_t k = 0; k < half; ++k) {
        merge(merged, width, cores[k].left, cores[k].inputs, cores[k].right);
        width = std::max(1.0, width) * cores[k].inputs;
    }
    width = 0;
    for (std::size_t k = cores.size(); k-- > half;) {
        merge(merged, width, cores[k].right, cores[k].outputs, cores[k].left);
        width = std::max(1.0, width) * cores[k].outputs;
    }
    return merged;
}

/// Products of ttm, from the last core to the first, and the largest of what lies between.
void contract(LayerElements& elements, const std::vector<TrainCore>& cores, double rows) {
    double inputs = 1, outputs = 1, largest = 0;
    for (const TrainCore& core : cores) inputs *= core.inputs;
    for (std::size_t k = cores.size(); k-- > 0;) {
        const TrainCore& core = cores[k];
        inputs /= core.inputs;
        const double others = rows * inputs * outputs;
        elements.flops += 2 * others * core.inputs * core.right * core.outputs * core.left;
        outputs *= core.outputs;
        largest = std::max(largest, others * (core.inputs * core.right + core.outputs * core.left));
    }
    elements.working = std::max(elements.input + elements.output, largest);
}

}  // namespace

LayerElements train_elements(const FactoredLayer& linear, double rows, bool with_bias) {
    const std::vector<TrainCore> cores = linear.cores();
    LayerElements elements;
    for (const TrainCore& core : cores) elements.parameters += static_cast<double>(core.weights());
    if (with_bias) elements.parameters += linear.layer.outputs;
    elements.input = rows * linear.layer.inputs;
    elements.output = rows * linear.layer.outputs;
    if (linear.format == "ttm") {
        contract(elements, cores, rows);
        return elements;
    }
    const double middle = cores[cores.size() / 2].left;
    const Merged merged = merged_train(cores);
    elements.flops = 2 * middle * (elements.input + elements.output) + merged.flops;
    elements.saved = rows * middle;
    elements.rounded = merged.kept;
    elements.working = std::max(elements.input, elements.output) + rows * middle;
    return elements;
}

void LayerList::add_dense(const std::string& name, const FactoredLayer& linear, double more_saved) {
    LayerElements elements = train_elements(linear, 1);
    elements.saved += elements.input + more_saved;
    add(name, linear.format + " linear", {linear.layer.outputs}, elements);
}

void LayerList::add_chain(const std::string& name, const FactoredLayer& convolution, Grid3& grid,
                          bool is_kept, bool with_bias) {
    const std::vector<ChainLink> chain = convolution.chain();
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const ChainLink& link = chain[i];
        const double input = static_cast<double>(volume(grid)) * link.inputs;
        grid = ceil_divide(grid, link.stride);
        const double taps =
            static_cast<double>(volume(link.kernel)) * (link.is_depthwise ? 1 : link.inputs);
        LayerElements elements = linear_elements(static_cast<double>(volume(grid)), taps,
                                                 link.outputs, with_bias && i + 1 == chain.size());
        elements.is_convolution = true;
        elements.input = input;
        elements.saved = i == 0 && is_kept ? 0 : input;
        elements.working = elements.input + elements.output;
        add(name + "." + std::to_string(i), link.is_depthwise ? "depthwise conv3d" : "conv3d",
            {link.outputs, grid[0], grid[1], grid[2]}, elements);
    }
}

}  // namespace edgeloop
