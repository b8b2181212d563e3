#include "model/initialisation.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

/// Each piece of a tensor has a stream of its own, so that threads can share the work and the
/// values do not depend on how.
constexpr std::int64_t piece = 1 << 14;

void fill_normal(torch::Tensor& tensor, double deviation, std::uint64_t seed,
                 const std::string& name) {
    float* values = tensor.data_ptr<float>();
    const std::int64_t elements = tensor.numel();
#pragma omp parallel for
    for (std::int64_t start = 0; start < elements; start += piece) {
        RandomStream random(seed, name, 0, static_cast<std::uint64_t>(start / piece));
        for (std::int64_t i = start; i < std::min(start + piece, elements); ++i)
            values[i] = static_cast<float>(deviation * random.normal());
    }
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
            fill_normal(tensor, deviation(parameter.key(), tensor), seed,
                        "initial weights " + parameter.key());
        else
            tensor.fill_(is_bias(parameter.key()) ? 0 : 1);
    }
}

double he_deviation(const torch::Tensor& weight) {
    return std::sqrt(2.0 / static_cast<double>(weight[0].numel()));
}

}  // namespace edgeloop
