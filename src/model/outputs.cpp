#include "model/outputs.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

namespace edgeloop {

void set_outputs(Network& network, std::int64_t outputs, std::uint64_t seed) {
    // In every family the layer that is registered last is the output layer.
    const std::vector<torch::Tensor> parameters = network.parameters();
    EDGELOOP_EXPECT(parameters.size() >= 2, "a network without an output layer");
    torch::Tensor weight = parameters[parameters.size() - 2], bias = parameters.back();
    EDGELOOP_EXPECT(weight.dim() == 2 && bias.dim() == 1 && weight.size(0) == bias.size(0),
                    "the last layer is not an output layer");
    if (bias.size(0) == outputs) return;
    const torch::NoGradGuard no_grad;
    weight.set_data(torch::empty({outputs, weight.size(1)}));
    bias.set_data(torch::zeros({outputs}));
    RandomStream random(seed, "initial weights of outputs");
    float* values = weight.data_ptr<float>();
    for (std::int64_t i = 0; i < weight.numel(); ++i) values[i] = float(0.01 * random.normal());
}

}  // namespace edgeloop
