#pragma once

#include "edgeloop/architecture/field.hpp"
#include "edgeloop/architecture/grid.hpp"
#include "edgeloop/architecture/quantisation.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// How layers hold their weights: as they are, or as a product of small tensors.
struct TensorForm {
    static constexpr int most = 65536;  ///< of a rank

    std::string format = "dense";
    int rank_max = 8;
    int rank_target = 0;
    std::vector<int> ranks;

    [[nodiscard]] std::vector<Field> fields();
    [[nodiscard]] bool is_dense() const { return format == "dense"; }
    /// Whether ranks are still to be found.
    [[nodiscard]] bool is_open() const { return !is_dense() && ranks.empty(); }
};

/// Which formats a family has besides dense.
struct TensorFormats {
    std::vector<std::string> stages;  ///< of the layers of its stages
    std::vector<std::string> dense;   ///< of those between the stages and the output
};

/// A layer of a network that may be held in tensor form, by the shape of its weights.
struct TensorLayer {
    static constexpr std::size_t dense = static_cast<std::size_t>(-1);

    std::string name;        ///< of its module, e.g. "stages.1.conv"
    std::size_t group = 0;   ///< its stage, or TensorLayer::dense
    bool is_linear = false;  ///< else a convolution
    int inputs = 1, outputs = 1;
    Extent3 kernel{1, 1, 1}, stride{1, 1, 1};  ///< of a convolution
};

/// The forms of a network's layers, and how their ranks are found. Without stages: all dense.
struct LowRank {
    std::string adaptation = "diagonal";
    double adapt_share = 0.5;
    double strength = 1;
    std::vector<TensorForm> stages;
    TensorForm dense;

    [[nodiscard]] std::vector<Field> fields();
    [[nodiscard]] bool is_dense() const { return stages.empty(); }
    /// A dense one where the network is dense.
    [[nodiscard]] TensorForm form_of(std::size_t group) const;
    [[nodiscard]] TensorForm form_of(const TensorLayer& layer) const {
        return form_of(layer.group);
    }
    /// Whether ranks change in training.
    [[nodiscard]] bool adapts() const;
    /// Epochs of a recipe of so many after which ranks are final; 0: they are from the start.
    /// @param then  epochs at least that have to follow.
    [[nodiscard]] int adaptive_epochs(int epochs, int then) const;
    /// Why these forms do not go with these bits, or nothing: cores are float32.
    [[nodiscard]] std::optional<std::string> problem(const Quantisation& quantisation) const;
    /// Gives what has no effect its default, so that equal networks are equal; becomes the dense
    /// network that formats of dense throughout describe.
    void settle(bool has_dense);
};

/// @throws ConfigError  unknown keys or values out of range; with the place.
[[nodiscard]] LowRank low_rank_from(const Json& json, const Place& place);
/// The object with every key.
[[nodiscard]] Json to_json(LowRank low_rank);
/// @param layers  that may be in tensor form, in the order of the network's.
/// @throws ConfigError  formats that the family does not have, ranks that the layers do not: with
/// the place.
void check_low_rank(const LowRank& low_rank, const TensorFormats& formats,
                    const std::vector<TensorLayer>& layers, std::size_t stages, const Place& place);

/// Ranks of a layer: of each bond between two neighbouring factors.
using Ranks = std::vector<int>;

/// The largest ranks of a layer in a format that a cap leaves: no rank is larger than what its
/// factors on either side can use.
[[nodiscard]] Ranks max_ranks(const std::string& format, const TensorLayer& layer, int cap);
/// The ranks of each layer that is in tensor form, in their order: those of the spec, or else the
/// largest of rank_max.
[[nodiscard]] std::vector<Ranks> ranks_of(const LowRank& low_rank,
                                          const std::vector<TensorLayer>& layers);
/// The same network with these ranks as its final ones.
/// @param ranks  of each layer that is in tensor form, in their order.
[[nodiscard]] LowRank with_ranks(LowRank low_rank, const std::vector<TensorLayer>& layers,
                                 const std::vector<Ranks>& ranks);

/// One convolution of a chain that stands for a larger one.
struct ChainLink {
    int inputs = 1, outputs = 1;
    Extent3 kernel{1, 1, 1}, stride{1, 1, 1};
    bool is_depthwise = false;  ///< inputs == outputs

    [[nodiscard]] std::int64_t weights() const {
        return volume(kernel) * outputs * (is_depthwise ? 1 : inputs);
    }
};

/// The convolutions of a layer in a format, in the order in which they run; the last one has the
/// bias. Padding is that of Border::same at each. What would have one channel and one tap on
/// either side is left out: an axis of 1 without stride, the first link of a single input.
///
/// tt: 1 x 1 x 1, (kt, 1, 1), (1, kh, 1), (1, 1, kw), 1 x 1 x 1. tucker2: 1 x 1 x 1, the kernel,
/// 1 x 1 x 1. cp: 1 x 1 x 1, the kernel for each channel by itself, 1 x 1 x 1.
[[nodiscard]] std::vector<ChainLink> chain_of(const std::string& format, const TensorLayer& layer,
                                              const Ranks& ranks);

/// One core of a linear layer's weights.
struct TrainCore {
    int left = 1;
    int outputs = 1;  ///< 1 in the first half of tt
    int inputs = 1;   ///< 1 in the second half of tt
    int right = 1;

    [[nodiscard]] std::int64_t weights() const {
        return std::int64_t{1} * left * outputs * inputs * right;
    }
};

/// The cores of a linear layer. ttm: as many as factors of the width, (left, outputs, inputs,
/// right). tt: first those of the inputs, then those of the outputs.
[[nodiscard]] std::vector<TrainCore> cores_of(const std::string& format, const TensorLayer& layer,
                                              const Ranks& ranks);

/// A layer that is in tensor form.
struct FactoredLayer {
    TensorLayer layer;
    std::string format;
    Ranks ranks;

    /// Of a convolution.
    [[nodiscard]] std::vector<ChainLink> chain() const { return chain_of(format, layer, ranks); }
    /// Of a linear layer.
    [[nodiscard]] std::vector<TrainCore> cores() const { return cores_of(format, layer, ranks); }
};

/// The layers in tensor form, by the names of their modules.
using FactoredLayers = std::map<std::string, FactoredLayer>;
[[nodiscard]] FactoredLayers factored_layers(const LowRank& low_rank,
                                             const std::vector<TensorLayer>& layers);
/// Null: the layer is dense.
[[nodiscard]] const FactoredLayer* factored_as(const FactoredLayers& factored,
                                               const std::string& name);

/// A width as a product of so many factors, ascending, as equal as its divisors allow.
[[nodiscard]] std::vector<int> factors_of(int width, int count);

}  // namespace edgeloop
