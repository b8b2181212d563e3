#include "model/network.hpp"

#include "model/factored_module.hpp"
#include "model/layers.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

bool ends_with(const std::string& name, std::string_view suffix) {
    return name.size() >= suffix.size() &&
           name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
}

/// Cores begin so that the weights they stand for are as large as those of the dense layer.
void initialise_factors(Network& network, std::uint64_t seed) {
    const auto modules = network.named_modules("", false);
    for (const auto& module : modules) {
        const auto* const layer = dynamic_cast<const FactoredModule*>(module.value().get());
        if (layer == nullptr) continue;
        const TensorLayer& dense = layer->layer().layer;
        const torch::Tensor one_output =
            torch::empty({1, volume(dense.kernel) * std::int64_t{dense.inputs}});
        const double deviation = network.initial_deviation(module.key() + ".weight", one_output);
        const std::vector<double> deviations = layer->initial_deviations(deviation);
        for (std::size_t i = 0; i < deviations.size(); ++i) {
            torch::Tensor core = layer->cores()[i];
            fill_normal(core, deviations[i], seed,
                        fmt::format("initial weights {}.{}", module.key(), i));
        }
    }
}

/// Normal values where a tensor has two dimensions or more, 1 for weights of norms, 0 for biases.
/// Each tensor has its own stream named after it, so that the same layer starts alike in two
/// networks that differ elsewhere.
void initialise(Network& network, std::uint64_t seed) {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network.named_parameters()) {
        torch::Tensor& tensor = parameter.value();
        if (tensor.dim() >= 2)
            fill_normal(tensor, network.initial_deviation(parameter.key(), tensor), seed,
                        "initial weights " + parameter.key());
        else
            tensor.fill_(ends_with(parameter.key(), ".bias") ||
                                 ends_with(parameter.key(), frozen_names[1])
                             ? 0
                             : 1);
    }
    initialise_factors(network, seed);
    constexpr double unit = 0.4;  // mean magnitude of normal numbers after ReLU
    for (RoundedLayer* const layer : rounded_layers(network)) layer->start_steps(unit);
}

}  // namespace

double Network::initial_deviation(const std::string& parameter, const torch::Tensor& weight) const {
    return parameter == "output.weight" ? 0.01
                                        : std::sqrt(2.0 / static_cast<double>(weight[0].numel()));
}

torch::Tensor Network::output_bias() {
    // Registered last in every family, weight before bias.
    return parameters().back();
}

void Network::set_kernels(Kernels kernels) {
    for (const auto& layer : modules())
        if (auto* choice = dynamic_cast<KernelChoice*>(layer.get())) choice->kernels = kernels;
}

std::shared_ptr<Network> make_network(const ArchitectureSpec& spec, std::uint64_t seed,
                                      int outputs) {
    const auto network = std::visit([&](const auto& own) { return own.build(spec.clip, outputs); },
                                    network_of(spec));
    initialise(*network, seed);
    return network;
}

void load_weights(Network& network, const std::map<std::string, torch::Tensor>& weights,
                  const std::string& where) {
    auto parameters = network.named_parameters();
    for (const auto& parameter : parameters) {
        const auto found = weights.find(parameter.key());
        if (found == weights.end())
            throw ConfigError(fmt::format("{}: parameter '{}' is missing", where, parameter.key()));
        if (found->second.sizes() != parameter.value().sizes())
            throw ConfigError(fmt::format("{}: parameter '{}' has shape ({}), expected ({})", where,
                                          parameter.key(), fmt::join(found->second.sizes(), ", "),
                                          fmt::join(parameter.value().sizes(), ", ")));
    }
    for (const auto& weight : weights)
        if (!parameters.contains(weight.first) &&
            !ends_with(weight.first, ".relative_position_index"))
            throw ConfigError(
                fmt::format("{}: the network has no parameter '{}'", where, weight.first));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parameters) parameter.value().copy_(weights.at(parameter.key()));
}

}  // namespace edgeloop
