#include "model/weights_file.hpp"

#include "edgeloop/inference/networks.hpp"
#include "edgeloop/model/native.hpp"

namespace edgeloop {

inference::Graph native_graph(const ArchitectureSpec& spec, const std::string& weights) {
    const auto network = trained_network(spec, weights);
    inference::NetworkWeights arrays;
    for (const auto& [name, tensor] : weights_of(*network)) {
        const torch::Tensor plain = tensor.contiguous();
        const float* const values = plain.data_ptr<float>();
        arrays.floats[name] = {plain.sizes().vec(), {values, values + plain.numel()}};
    }
    const auto outputs = static_cast<int>(network->output_bias().numel());
    return inference::graph_of(spec, arrays, outputs);
}

}  // namespace edgeloop
