#include "edgeloop/inference/networks.hpp"

#include "inference/network_maker.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <cmath>
#include <numeric>
#include <set>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::inference {
namespace {

std::int64_t volume_of(const std::vector<std::int64_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// The weights of a trained network; each may be taken once.
class GivenWeights final : public WeightSource {
  public:
    explicit GivenWeights(const NetworkWeights& weights) : weights_(weights) {}

    [[nodiscard]] std::vector<float> floats(const std::string& name,
                                            const std::vector<std::int64_t>& shape) override {
        const auto found = weights_.floats.find(name);
        if (found == weights_.floats.end())
            throw ConfigError(fmt::format("weights: parameter '{}' is missing", name));
        if (found->second.shape != shape)
            throw ConfigError(fmt::format("weights: parameter '{}' has shape ({}), expected ({})",
                                          name, fmt::join(found->second.shape, ", "),
                                          fmt::join(shape, ", ")));
        taken_.insert(name);
        return found->second.values;
    }

    [[nodiscard]] std::optional<IntegerLayer> integers(
        const std::string& name, const std::vector<std::int64_t>& shape) override {
        const auto found = weights_.integers.find(name);
        if (found == weights_.integers.end()) return std::nullopt;
        const IntegerLayer& layer = found->second;
        if (!shape.empty() && layer.weights.empty()) return std::nullopt;
        if (!shape.empty() && (layer.weights.size() != static_cast<std::size_t>(volume_of(shape)) ||
                               layer.scales.size() != static_cast<std::size_t>(shape.front()) ||
                               layer.bias.size() != layer.scales.size()))
            throw ConfigError(fmt::format("weights: layer '{}' has another shape", name));
        return layer;
    }

    /// @throws ConfigError  there are others than the network has.
    void end() const {
        for (const auto& [name, array] : weights_.floats)
            if (taken_.count(name) == 0)
                throw ConfigError(
                    fmt::format("weights: parameter '{}' is none of this network", name));
    }

  private:
    const NetworkWeights& weights_;
    std::set<std::string> taken_;
};

/// Weights of the size that training begins with.
class RandomWeights final : public WeightSource {
  public:
    [[nodiscard]] std::vector<float> floats(const std::string& name,
                                            const std::vector<std::int64_t>& shape) override {
        std::vector<float> values(static_cast<std::size_t>(volume_of(shape)), 1);
        if (shape.size() < 2) return values;
        const double deviation =
            std::sqrt(2 * static_cast<double>(shape.front()) / static_cast<double>(values.size()));
        RandomStream random(1, name);
        for (float& value : values) value = static_cast<float>(deviation * random.normal());
        return values;
    }

    [[nodiscard]] std::optional<IntegerLayer> integers(const std::string&,
                                                       const std::vector<std::int64_t>&) override {
        return std::nullopt;
    }
};

Graph make_graph(const ArchitectureSpec& spec, WeightSource& source, int outputs) {
    if (const auto problem = native_problem(spec)) throw ConfigError(*problem);
    NetworkMaker maker(spec, source);
    std::visit(
        [&](const auto& network) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(network)>, Swin3d>)
                make_layers(network, {outputs}, maker);
        },
        network_of(spec));
    Graph graph = maker.take();
    (void)kinds_of(graph);
    return graph;
}

}  // namespace

std::optional<std::string> native_problem(const ArchitectureSpec& spec) {
    if (spec.family == Cnn3d::name || spec.family == Mbconv3d::name) return std::nullopt;
    return fmt::format("the native runtime has no layers for the family {}", spec.family);
}

Graph graph_of(const ArchitectureSpec& spec, const NetworkWeights& weights, int outputs) {
    GivenWeights source(weights);
    Graph graph = make_graph(spec, source, outputs);
    if (weights.integers.empty()) source.end();  // else floats of integer layers are left
    return graph;
}

Graph random_graph_of(const ArchitectureSpec& spec, int outputs) {
    RandomWeights source;
    return make_graph(spec, source, outputs);
}

}  // namespace edgeloop::inference
