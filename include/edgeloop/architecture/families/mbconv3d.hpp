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

/// Inverted residuals with depthwise 3-D convolutions and optional squeeze-excitation.
/// Sources: Feichtenhofer, "X3D", CVPR 2020; Kondratyuk et al., "MoViNets", CVPR 2021.
struct Mbconv3d {
    static constexpr const char* name = "mbconv3d";

    struct Stage {
        int channels = 0;
        double expansion = 4;
        Extent3 kernel{3, 3, 3};
        Extent3 stride{1, 1, 1};
        int repeats = 1;
        double squeeze = 0;

        [[nodiscard]] std::vector<Field> fields() {
            return {
                {"channels", channels, {1, 65536}, "of each block's result"},
                {"expansion",
                 expansion,
                 {0.125, 16},
                 "width inside a block over that of its input"},
                {"kernel", kernel, {1, 31}, "of the depthwise convolution"},
                {"stride", stride, {1, 16}, "of the first block"},
                {"repeats", repeats, {1, 64}, "blocks"},
                {"squeeze",
                 squeeze,
                 {0, 1},
                 "width of squeeze-excitation over that inside; 0: none"},
            };
        }
        /// Width inside a block, and of its squeeze-excitation.
        [[nodiscard]] int expanded(int inputs) const;
        [[nodiscard]] int squeezed(int inputs) const;
    };

    int stem = 0;
    std::vector<Stage> stages;
    int head = 0;
    double dropout = 0;
    std::string norm = "group";
    std::string activation = "silu";
    Quantisation quantisation;  ///< the spec's
    LowRank low_rank;           ///< the spec's

    [[nodiscard]] std::vector<Field> fields() {
        return {
            {"stem", stem, {1, 65536}, "channels of the first convolution, 3 x 3 x 3"},
            {"stages", stages, {1, 16}, "inverted residuals"},
            {"head", head, {1, 65536}, "channels of the last convolution, 1 x 1 x 1"},
            {"dropout", dropout, {0, 0.99}, "before the output"},
            Field("norm", norm, {"group", "affine"},
                  "after each convolution; affine: a scale and a shift of each channel")
                .added_later(),
            Field("activation", activation, {"silu", "relu"},
                  "after a norm but a block's last; relu also after a block's sum")
                .added_later(),
        };
    }

    [[nodiscard]] LayerGroups layer_groups() const { return {stages.size(), true, true}; }
    /// Convolutions of 1 x 1 x 1 have two factors, in whatever format.
    [[nodiscard]] TensorFormats tensor_formats() const { return {{"tt"}, {"tt"}}; }
    [[nodiscard]] std::vector<TensorLayer> tensor_layers(const ClipShape& clip) const;
    [[nodiscard]] std::optional<std::string> problem() const;
    [[nodiscard]] ModelCounts count(const ClipShape& clip) const;
    /// In src/model/families/.
    [[nodiscard]] std::shared_ptr<Network> build(const ClipShape& clip, int outputs) const;
};

}  // namespace edgeloop
