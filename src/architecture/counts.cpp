#include "edgeloop/architecture/counts.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/architecture/layer_list.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

constexpr double bytes_per_element = 4;

std::int64_t whole(double value) {
    constexpr double largest = 9e18;  // close below the largest integer
    return static_cast<std::int64_t>(std::min(value, largest));
}

std::int64_t bytes_of(double elements) { return whole(bytes_per_element * elements); }

}  // namespace

void LayerList::add(const std::string& name, const std::string& kind,
                    std::vector<std::int64_t> shape, const LayerElements& elements) {
    counts_.layers.push_back({name, kind, std::move(shape), whole(elements.parameters),
                              whole(elements.flops), bytes_of(elements.input),
                              bytes_of(elements.output), bytes_of(elements.saved),
                              bytes_of(elements.working), elements.bits});
    sum_.parameters += elements.parameters;
    sum_.flops += elements.flops;
    sum_.saved += elements.saved;
    sum_.rounded += elements.rounded;
    sum_.working = std::max(sum_.working, elements.working);
    if (elements.is_convolution) convolution_flops_ += elements.flops;
    model_bits_ += Bits::none * elements.parameters - elements.bits_saved;
    bit_operations_ += elements.flops / 2 * elements.bits.product();
}

void LayerList::add_dense(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                          double more_saved) {
    add_dense(name, inputs, outputs, more_saved, {}, float_bits);
}

void LayerList::add_dense(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                          double more_saved, const Quantisation& quantisation, const Bits& bits) {
    const auto channels = static_cast<double>(outputs);
    LayerElements elements = linear_elements(1, static_cast<double>(inputs), channels);
    elements.saved = elements.input + more_saved;
    quantise(elements, quantisation, bits, channels, channels);
    add(name, "linear", {outputs}, elements);
}

double LayerList::kept_by_mean(double averaged) {
    mean_input_ += averaged;
    return averaged;
}

ModelCounts LayerList::total() && {
    counts_.parameters = whole(sum_.parameters);
    counts_.flops = whole(sum_.flops);
    counts_.convolution_flops = whole(convolution_flops_);
    counts_.matrix_flops = whole(sum_.flops - convolution_flops_);
    counts_.weight_bytes = bytes_of(sum_.parameters);
    counts_.model_bits = whole(model_bits_);
    counts_.bit_operations = whole(bit_operations_);
    counts_.training_activation_bytes = bytes_of(sum_.saved);
    counts_.rounding_bytes = bytes_of(sum_.rounded);
    counts_.mean_input_bytes = bytes_of(mean_input_);
    counts_.inference_activation_bytes = bytes_of(sum_.working);
    return std::move(counts_);
}

LayerElements linear_elements(double rows, double inputs, double outputs, bool with_bias) {
    LayerElements elements;
    elements.parameters = inputs * outputs + (with_bias ? outputs : 0);
    elements.flops = 2 * rows * inputs * outputs;
    elements.input = rows * inputs;
    elements.output = rows * outputs;
    elements.working = elements.input + elements.output;
    return elements;
}

void quantise(LayerElements& elements, const Quantisation& quantisation, const Bits& bits,
              double outputs, double biases, Input input) {
    constexpr double bits_of_a_channel = 64, of_a_step = 32, copies = 4, copies_of_steps = 16;
    elements.bits = bits;
    const double weights = elements.parameters - biases;
    if (quantisation.learns_steps(bits)) elements.parameters += outputs;
    const bool has_step = bits.activations != Bits::none && input == Input::activations;
    if (has_step) ++elements.parameters;
    // The input before and after rounding, and some numbers of a step.
    if (bits.activations != Bits::none) elements.saved += elements.input + of_a_step;
    if (bits.weights == Bits::none) {
        elements.bits_saved = has_step ? Bits::none : 0;
        return;
    }
    elements.rounded = copies * weights + copies_of_steps * outputs;
    elements.bits_saved =
        Bits::none * elements.parameters - weights * bits.weights - outputs * bits_of_a_channel;
}

LayerElements rounding_elements(double elements) {
    LayerElements rounding = map_elements(elements);
    rounding.parameters = 1;
    rounding.saved = 2 * elements;
    rounding.bits_saved = Bits::none;
    return rounding;
}

LayerElements affine_elements(double positions, int channels, const Bits& before) {
    LayerElements affine = map_elements(positions * channels);
    affine.parameters = 2.0 * channels;
    affine.saved = affine.input;
    if (before.weights != Bits::none) affine.bits_saved = Bits::none * affine.parameters;
    return affine;
}

LayerElements map_elements(double elements) {
    LayerElements map;
    map.input = map.output = elements;
    map.working = map.input + map.output;
    return map;
}

LayerElements group_norm_elements(double positions, int channels) {
    LayerElements norm = map_elements(positions * channels);
    norm.parameters = 2.0 * channels;
    norm.saved = norm.input + 2 * norm_groups(channels);
    return norm;
}

int norm_groups(int channels) {
    for (int groups = std::min(8, channels); groups > 1; --groups)
        if (channels % groups == 0) return groups;
    return 1;
}

TrainingMemory training_memory(const ModelCounts& counts, const TrainingRecipe& recipe) {
    TrainingMemory memory;
    memory.weights = static_cast<double>(counts.weight_bytes) +
                     bytes_per_element * static_cast<double>(counts.bond_scales);
    memory.gradients = memory.weights;
    memory.optimiser = (recipe.optimizer == "sgd" ? 1 : 2) * memory.weights;
    memory.activations =
        recipe.at_once(recipe.batch) * static_cast<double>(counts.training_activation_bytes);
    memory.derived = static_cast<double>(counts.rounding_bytes);
    return memory;
}

double training_bytes(const ModelCounts& counts, const TrainingRecipe& recipe) {
    return training_memory(counts, recipe).total();
}

}  // namespace edgeloop
