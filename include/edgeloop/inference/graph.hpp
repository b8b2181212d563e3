#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/inference/integer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::inference {

/// Of time, height, width.
using Triple = std::array<std::int32_t, 3>;

/// Of a tensor of one clip. In memory the channels of a position are neighbours: (T, H, W, C).
struct Shape {
    std::int32_t channels = 1;
    Triple grid{1, 1, 1};

    [[nodiscard]] std::int64_t positions() const {
        return std::int64_t{grid[0]} * grid[1] * grid[2];
    }
    [[nodiscard]] std::int64_t elements() const { return positions() * channels; }
    friend bool operator==(const Shape& a, const Shape& b) {
        return a.channels == b.channels && a.grid == b.grid;
    }
};

/// What a tensor's elements are: float32 (bits 0), or activations of so many bits in bytes.
struct Elements {
    std::int32_t bits = 0;
    std::int32_t zero = 0;  ///< that stands for 0; the input clip's only (integer.hpp)

    [[nodiscard]] bool are_real() const { return bits == 0; }
};

enum class Operation : std::uint8_t {
    convolution,     ///< of all channels
    depthwise,       ///< of each channel by itself
    linear,          ///< of all elements, in their order in memory
    norm,            ///< group norm (Wu and He, "Group normalization", ECCV 2018); float only
    max_pool,        ///< window = stride = kernel; what is left at the end is dropped
    mean,            ///< over all positions
    add,             ///< of two tensors of one shape; float only
    scale_channels,  ///< times the second, one number a channel; float only
    quantise,        ///< from float to activations: nearest_activation(x / scale)
    dequantise,      ///< from activations to float: scale (q - zero)
};
constexpr int operations = 10;

/// Of the results of a convolution, linear layer or norm whose results are float, of an addition
/// only ReLU; of an integer layer with float results only ReLU.
enum class Activation : std::uint8_t { none, relu, silu, sigmoid };
constexpr int activations = 4;

/// The integer form of a convolution, depthwise convolution, linear layer or mean.
struct Quantisation {
    std::int32_t weight_bits = 0;  ///< 0: the layer is float. A mean has 1 and no weights
    WeightGrid grid = WeightGrid::integers;
    std::vector<std::int16_t> weights;  ///< as Layer::weights; each is_weight()
    std::vector<std::int32_t> bias;     ///< (outputs)
    /// Bits of the activations that come out; 0: they are float, output_value() of scales.
    std::int32_t output_bits = 0;
    std::vector<Dyadic> ratios;          ///< (outputs), with output_bits
    std::vector<std::int32_t> residual;  ///< multipliers (outputs), with a second input
    std::vector<float> scales;           ///< (outputs), without output_bits
};

/// One layer: makes one tensor of one or two others.
struct Layer {
    Operation operation = Operation::convolution;
    Activation activation = Activation::none;
    std::int32_t input = 0;    ///< tensor 0 is the clip, tensor i + 1 the result of layer i
    std::int32_t second = -1;  ///< of add and scale_channels; of integer convolutions a residual
    std::int32_t outputs = 0;  ///< of convolution and linear
    Triple kernel{1, 1, 1}, stride{1, 1, 1};
    Triple before{0, 0, 0}, after{0, 0, 0};  ///< padding of a convolution
    std::int32_t groups = 1;                 ///< of a norm
    float epsilon = 0;                       ///< of a norm
    float scale = 1;                         ///< of quantise and dequantise
    std::int32_t bits = 0;                   ///< of quantise
    /// Float form. Convolution (outputs, kt, kh, kw, inputs), depthwise (channels, kt, kh, kw),
    /// linear (outputs, elements), norm (channels).
    std::vector<float> weights;
    std::vector<float> bias;  ///< (outputs); empty: none. Of a norm (channels)
    Quantisation integer;
};

/// A network as layers in the order in which they run; the last one's result is the network's.
struct Graph {
    Shape input;  ///< of a clip; one channel
    Elements input_elements;
    std::vector<Layer> layers;
    /// Spec, targets with units and scales, normalisation: README.md of src/inference.
    Json metadata = Json::object();
};

/// Shape and elements of a tensor.
struct TensorKind {
    Shape shape;
    Elements elements;
};

/// Most elements of a tensor, and most of all tensors of a graph together.
constexpr std::int64_t max_elements = std::int64_t{1} << 30;

/// Those of all tensors of a graph, the clip first.
/// @throws ConfigError  the graph is none that can run: says which layer and why. Whatever the
/// layers say, nothing larger than they themselves is allocated.
[[nodiscard]] std::vector<TensorKind> kinds_of(const Graph& graph);

/// What the weights and biases of all layers take with their bits, biases 32.
[[nodiscard]] std::int64_t stored_bytes(const Graph& graph);
/// Weights and biases of all layers.
[[nodiscard]] std::int64_t parameters(const Graph& graph);

[[nodiscard]] const char* to_string(Operation operation);

}  // namespace edgeloop::inference
