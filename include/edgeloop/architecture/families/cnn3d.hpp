#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/field.hpp"
#include "edgeloop/architecture/grid.hpp"
#include "edgeloop/architecture/low_rank.hpp"
#include "edgeloop/architecture/quantisation.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

class Network;

/// Plain 3-D convolutional network: (convolution, norm, ReLU, max-pool) per stage, then a
/// multi-layer perceptron.
struct Cnn3d {
    static constexpr const char* name = "cnn3d";

    struct Stage {
        int channels = 0;
        Extent3 kernel{3, 3, 3};
        Extent3 pool{1, 1, 1};

        [[nodiscard]] std::vector<Field> fields() {
            return {
                {"channels", channels, {1, 65536}, "of the convolution's result"},
                {"kernel", kernel, {1, 31}, "padded so that the shape stays"},
                {"pool", pool, {1, 256}, "of max-pooling; what is smaller is pooled whole"},
            };
        }
        /// Pool sizes that fit: a dimension smaller than its pool is pooled whole.
        [[nodiscard]] Grid3 effective_pool(const Grid3& grid) const;
        /// Grid after pooling; an incomplete pool at the end is dropped.
        [[nodiscard]] Grid3 pooled(const Grid3& grid) const;
    };

    std::vector<Stage> stages;
    std::vector<int> hidden;
    std::string norm = "group";
    std::string reduce = "mean";
    double dropout = 0;
    Quantisation quantisation;  ///< the spec's
    LowRank low_rank;           ///< the spec's

    [[nodiscard]] std::vector<Field> fields() {
        return {
            {"stages", stages, {1, 16}, "convolution, norm, ReLU, max-pool"},
            {"hidden", hidden, {0, 16}, {1, 65536}, "widths of the dense layers before the last"},
            {"norm",
             norm,
             {"group", "none", "affine", "frozen"},
             "after each convolution; affine: a scale and a shift of each channel; frozen: group "
             "norm while a quantised network is trained in float32, then affine"},
            {"reduce", reduce, {"mean", "flatten"}, "over time and space, before the dense layers"},
            {"dropout", dropout, {0, 0.99}, "before the first dense layer"},
        };
    }

    /// A network of float32 has nothing to freeze: its norm is group norm then.
    [[nodiscard]] std::string norm_used() const {
        return norm == "frozen" && quantisation.is_float() ? "group" : norm;
    }
    /// Inputs of the first dense layer.
    [[nodiscard]] std::int64_t features(const ClipShape& clip) const;

    /// Of the first layer behind the stages.
    [[nodiscard]] Bits bits_after_stages() const;
    /// Whether the last stage's result is rounded before its mean is taken, so that the mean is one
    /// of integers.
    [[nodiscard]] bool rounds_features() const;
    [[nodiscard]] LayerGroups layer_groups() const {
        return {stages.size(), false, !hidden.empty()};
    }
    [[nodiscard]] TensorFormats tensor_formats() const {
        return {
            {"tt", "tucker2", "cp"},
            hidden.empty() ? std::vector<std::string>() : std::vector<std::string>{"tt", "ttm"}};
    }
    [[nodiscard]] std::vector<TensorLayer> tensor_layers(const ClipShape& clip) const;
    [[nodiscard]] std::optional<std::string> problem() const;
    [[nodiscard]] ModelCounts count(const ClipShape& clip) const;
    /// In src/model/families/.
    [[nodiscard]] std::shared_ptr<Network> build(const ClipShape& clip, int outputs) const;
};

}  // namespace edgeloop
