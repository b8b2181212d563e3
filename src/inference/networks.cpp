#include "edgeloop/inference/networks.hpp"

#include "inference/network_maker.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <cmath>
#include <numeric>
#include <set>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::inference {
namespace {

std::int64_t volume_of(const std::vector<std::int64_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// Bits of a network's modules.
class ModuleBits {
  public:
    explicit ModuleBits(const ArchitectureSpec& spec)
        : quantisation_(spec.quantisation),
          dense_reads_features_(spec.family == Cnn3d::name &&
                                !spec.architecture.at("hidden").empty()) {}

    /// float_bits where a layer neither has integers for weights nor reads any.
    [[nodiscard]] Bits of(const std::string& module) const {
        return quantisation_.is_float() ? float_bits
                                        : quantisation_.of_module(module, dense_reads_features_);
    }
    [[nodiscard]] WeightGrid grid_of(const Bits& bits) const {
        return quantisation_.has_odd_weights(bits) && bits.weights > 1 ? WeightGrid::odd
                                                                       : WeightGrid::integers;
    }

  private:
    edgeloop::Quantisation quantisation_;
    bool dense_reads_features_;
};

/// The weights of a trained network; each may be taken once.
class GivenWeights final : public WeightSource {
  public:
    GivenWeights(const NetworkWeights& weights, const ArchitectureSpec& spec)
        : weights_(weights), bits_(spec) {}

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
        if (found == weights_.integers.end()) {
            if (bits_.of(name).is_float()) return std::nullopt;
            throw ConfigError(
                fmt::format("weights: layer '{}' is quantised, and its integers are missing", name),
                "weights as training writes them are float32", "give a native file");
        }
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
    ModuleBits bits_;
    std::set<std::string> taken_;
};

/// Weights of the size that training begins with.
class RandomWeights final : public WeightSource {
  public:
    explicit RandomWeights(const ArchitectureSpec& spec) : bits_(spec) {}

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

    /// Any weight of the grid is as likely, and results are about as large as what is read.
    [[nodiscard]] std::optional<IntegerLayer> integers(
        const std::string& name, const std::vector<std::int64_t>& shape) override {
        const Bits bits = bits_.of(name);
        if (bits.is_float()) return std::nullopt;
        IntegerLayer layer;
        layer.input_bits = bits.activations;
        layer.input_step = 2.0 / activation_range(bits.activations).high;
        if (shape.empty()) return layer;
        layer.weight_bits = bits.weights;
        layer.grid = bits_.grid_of(bits);
        const int values = 1 << bits.weights;
        RandomStream random(1, name);
        const auto outputs = static_cast<std::size_t>(shape.front());
        layer.weights.resize(static_cast<std::size_t>(volume_of(shape)));
        for (std::int16_t& weight : layer.weights) {
            const auto code = static_cast<unsigned>(random.uniform() * values);
            const int q = weight_of_code(code, bits.weights, layer.grid);
            weight = static_cast<std::int16_t>(is_weight(q, bits.weights, layer.grid)
                                                   ? q
                                                   : weight_of_code(0, bits.weights, layer.grid));
        }
        const double fan_in =
            static_cast<double>(layer.weights.size()) / static_cast<double>(outputs);
        layer.scales.assign(outputs,
                            1 / (std::sqrt(fan_in) * weight_range(bits.weights, layer.grid).high));
        layer.bias.assign(outputs, 0);
        return layer;
    }

  private:
    ModuleBits bits_;
};

/// Whether these layers are float, or read and have integers.
bool runs(const Bits& bits) {
    return bits.is_float() || (bits.weights != Bits::none && bits.activations != Bits::none);
}

std::optional<std::string> problem_of(const Cnn3d& network) {
    const edgeloop::Quantisation& bits = network.quantisation;
    bool all_run = runs(bits.of_dense()) && runs(bits.of_last());
    for (const Bits& stage : bits.stages) all_run = all_run && runs(stage);
    if (!all_run)
        return "the native runtime has no layers of which weights or inputs alone are quantised";
    if (network.rounds_features() && bits.stages.back().is_float())
        return "the native runtime takes the mean of integers only behind quantised stages";
    return std::nullopt;
}

std::optional<std::string> problem_of(const Mbconv3d& network) {
    const edgeloop::Quantisation& bits = network.quantisation;
    if (bits.is_float() && network.activation == "relu")
        return "the native runtime has no relu behind a float sum";
    const auto has_integers = [](const Bits& one) { return runs(one) && !one.is_float(); };
    bool all_have = has_integers(bits.first) && has_integers(bits.dense) && has_integers(bits.last);
    for (const Bits& stage : bits.stages) all_have = all_have && has_integers(stage);
    if (!bits.is_float() && !all_have)
        return "the native runtime runs a quantised mbconv3d only if all of its layers are";
    return std::nullopt;
}

/// Of a family without a file in families/.
template <class Family>
std::optional<std::string> problem_of(const Family&) {
    return fmt::format("the native runtime has no layers for the family {}", Family::name);
}

template <class Family, class = void>
constexpr bool has_layers = false;
template <class Family>
constexpr bool
    has_layers<Family, std::void_t<decltype(make_layers(std::declval<const Family&>(),
                                                        std::declval<const FamilyOutputs&>(),
                                                        std::declval<NetworkMaker&>()))>> = true;

Graph make_graph(const ArchitectureSpec& spec, WeightSource& source, int outputs) {
    if (const auto problem = native_problem(spec)) throw ConfigError(*problem);
    NetworkMaker maker(spec, source);
    std::visit(
        [&](const auto& network) {
            if constexpr (has_layers<std::decay_t<decltype(network)>>)
                make_layers(network,
                            {outputs, factored_layers(spec.low_rank, tensor_layers_of(spec))},
                            maker);
        },
        network_of(spec));
    Graph graph = maker.take();
    (void)kinds_of(graph);
    return graph;
}

}  // namespace

std::optional<std::string> native_problem(const ArchitectureSpec& spec) {
    return std::visit([](const auto& network) { return problem_of(network); }, network_of(spec));
}

Graph graph_of(const ArchitectureSpec& spec, const NetworkWeights& weights, int outputs) {
    GivenWeights source(weights, spec);
    Graph graph = make_graph(spec, source, outputs);
    if (weights.integers.empty()) source.end();  // else floats of integer layers are left
    return graph;
}

Graph random_graph_of(const ArchitectureSpec& spec, int outputs) {
    RandomWeights source(spec);
    return make_graph(spec, source, outputs);
}

}  // namespace edgeloop::inference
