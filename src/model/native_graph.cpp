#include "model/native_graph.hpp"

#include "model/quantised_layers.hpp"
#include "model/rounding.hpp"
#include "model/weights_file.hpp"

#include "edgeloop/inference/networks.hpp"
#include "edgeloop/model/native.hpp"

#include <set>

namespace edgeloop {
namespace {

template <class Value>
std::vector<Value> values_of(const torch::Tensor& tensor) {
    const torch::Tensor plain = tensor.contiguous();
    const Value* const values = plain.data_ptr<Value>();
    return {values, values + plain.numel()};
}

inference::IntegerLayer integers_of(const QuantisedLayer& layer) {
    inference::IntegerLayer made;
    made.input_step = layer.input_step;
    made.input_bits = layer.bits.activations;
    if (!layer.weights.defined()) return made;
    made.weight_bits = layer.bits.weights;
    // Of 1 bit both grids have -1 and 1.
    made.grid = layer.has_odd_weights && layer.bits.weights > 1 ? inference::WeightGrid::odd
                                                                : inference::WeightGrid::integers;
    made.weights = values_of<std::int16_t>(layer.weights);
    made.scales = values_of<double>(layer.scales);
    made.bias = values_of<double>(layer.bias);
    return made;
}

std::string parent_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

}  // namespace

inference::Graph native_graph(const ArchitectureSpec& spec, const std::string& weights) {
    return native_graph(spec, *trained_network(spec, weights));
}

inference::Graph native_graph(const ArchitectureSpec& design, Network& network) {
    const ArchitectureSpec spec = with_ranks_in(weights_of(network), design);
    inference::NetworkWeights arrays;
    std::set<std::string> folded;  // modules whose parameters are in integers
    for (const QuantisedLayer& layer : quantised_layers(network)) {
        arrays.integers[layer.name] = integers_of(layer);
        folded.insert({layer.name, parent_of(layer.name) + ".norm"});
    }
    for (const auto& [name, tensor] : weights_of(network))
        if (folded.count(parent_of(name)) == 0)
            arrays.floats[name] = {tensor.sizes().vec(),
                                   values_of<float>(tensor.to(torch::kFloat))};
    const auto outputs = static_cast<int>(network.output_bias().numel());
    return inference::graph_of(spec, arrays, outputs);
}

}  // namespace edgeloop
