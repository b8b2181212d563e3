#include "model/initialisation.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cmath>

namespace edgeloop {
namespace {

void fill_normal(torch::Tensor& tensor, double deviation, RandomStream random) {
    float* values = tensor.data_ptr<float>();
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
        values[i] = static_cast<float>(deviation * random.normal());
}

bool is_bias(const std::string& name) {
    return name == "bias" || (name.size() > 5 && name.compare(name.size() - 5, 5, ".bias") == 0);
}

}  // namespace

void initialise(Network& network, std::uint64_t seed, const InitialDeviation& deviation) {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network.named_parameters()) {
        torch::Tensor& tensor = parameter.value();
        if (tensor.dim() >= 2)
            fill_normal(tensor, deviation(parameter.key(), tensor),
                        RandomStream(seed, "initial weights " + parameter.key()));
        else
            tensor.fill_(is_bias(parameter.key()) ? 0 : 1);
    }
}

double he_deviation(const torch::Tensor& weight) {
    return std::sqrt(2.0 / static_cast<double>(weight[0].numel()));
}

}  // namespace edgeloop
