#pragma once

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/architecture/grid.hpp"
#include "edgeloop/inference/networks.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop::inference {

/// From (outputs, inputs, positions) to (outputs, positions, inputs).
template <class Value>
std::vector<Value> channels_last(const std::vector<Value>& weights, std::size_t inputs,
                                 std::size_t positions) {
    std::vector<Value> result(weights.size());
    const std::size_t block = inputs * positions;
    for (std::size_t out = 0; out < weights.size(); out += block)
        for (std::size_t c = 0; c < inputs; ++c)
            for (std::size_t p = 0; p < positions; ++p)
                result[out + p * inputs + c] = weights[out + c * positions + p];
    return result;
}

/// Where the weights of a network come from.
class WeightSource {
  public:
    virtual ~WeightSource() = default;
    /// Of a float layer. @param shape  as LibTorch has it.
    [[nodiscard]] virtual std::vector<float> floats(const std::string& name,
                                                    const std::vector<std::int64_t>& shape) = 0;
    /// Of a quantised layer; nothing: the layer is float.
    /// @param shape  of the weights; empty: a layer that only rounds.
    [[nodiscard]] virtual std::optional<IntegerLayer> integers(
        const std::string& name, const std::vector<std::int64_t>& shape) = 0;
};

/// What is behind a convolution.
enum class NormKind : std::uint8_t { none, affine, group };

struct ConvolutionOfNetwork {
    std::string name;    ///< of the module, e.g. "stages.0.conv"
    std::string norm;    ///< of its norm's module
    std::string reader;  ///< of the module that reads the result: how it is rounded
    int outputs = 0;
    Extent3 kernel{1, 1, 1}, stride{1, 1, 1};
    bool is_depthwise = false;
    bool has_bias = true;
    NormKind norm_kind = NormKind::none;
    Activation activation = Activation::none;  ///< of the sum, where there is a residual
    int residual = -1;                         ///< tensor that is added
    const FactoredLayer* factored = nullptr;   ///< null: its weights are as they are
};

/// Puts a network together layer by layer. Float and integer layers may follow each other in any
/// order: what one makes becomes what the next one reads.
class NetworkMaker {
  public:
    NetworkMaker(const ArchitectureSpec& spec, WeightSource& source);

    /// Rounds the last tensor as this module does that reads it.
    void round_for(const std::string& reader);
    void convolve(const ConvolutionOfNetwork& convolution);
    void max_pool(const Grid3& window);
    /// @param rounding  module that rounds what is averaged.   @param reader  of the means.
    void mean(const std::string& rounding, const std::string& reader);
    void linear(const std::string& name, int outputs, Activation activation,
                const std::string& reader, const FactoredLayer* factored = nullptr);
    /// Weighs the channels of the last tensor by a small network of their means.
    void squeeze(const std::string& name, int width);

    [[nodiscard]] int tensor() const { return static_cast<int>(graph_.layers.size()); }
    [[nodiscard]] const Shape& shape() const { return flow_.shape; }
    [[nodiscard]] Graph take() { return std::move(graph_); }

  private:
    /// What the last layer made.
    struct Flow {
        Shape shape;
        int bits = 0;     ///< 0: float
        double step = 1;  ///< of activations
    };

    void push(Layer layer, const Flow& flow);
    /// Reads the last tensor.
    void add(Layer layer, const Flow& flow);
    void become_float();
    void become_integers(const IntegerLayer& reader);
    [[nodiscard]] Layer shaped(const ConvolutionOfNetwork& convolution) const;
    // Of layers in tensor form; in factored_layers.cpp.
    void convolve_links(const ConvolutionOfNetwork& convolution);
    void linear_factored(const std::string& name, Activation activation,
                         const FactoredLayer& factored);
    [[nodiscard]] std::vector<float> kernel_of(const ConvolutionOfNetwork& convolution,
                                               const std::vector<std::int64_t>& shape);
    [[nodiscard]] std::vector<float> bias_of(const ConvolutionOfNetwork& convolution);
    void add_linear(std::vector<float> weights, std::vector<float> bias, int outputs,
                    Activation activation);
    void add_norm(const ConvolutionOfNetwork& convolution);
    void add_float(const ConvolutionOfNetwork& convolution, Layer layer);
    void add_sum(int residual, Activation activation);
    void add_integer(Layer layer, const IntegerLayer& own, Activation activation,
                     const std::string& reader, int residual, const Shape& shape);

    WeightSource& source_;
    Graph graph_;
    Flow flow_;
    std::vector<Flow> flows_;  ///< of all tensors
};

// Of each family; in families/.
struct FamilyOutputs {
    int count = 2;
    FactoredLayers factors;  ///< layers in tensor form
};
void make_layers(const Cnn3d& network, const FamilyOutputs& outputs, NetworkMaker& maker);
void make_layers(const Mbconv3d& network, const FamilyOutputs& outputs, NetworkMaker& maker);

}  // namespace edgeloop::inference
