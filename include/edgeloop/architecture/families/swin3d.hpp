#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/field.hpp"
#include "edgeloop/architecture/grid.hpp"
#include "edgeloop/architecture/low_rank.hpp"
#include "edgeloop/architecture/quantisation.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

class Network;

/// Video Swin transformer with a regression head.
/// Source: Liu et al., "Video Swin Transformer", CVPR 2022.
struct Swin3d {
    static constexpr const char* name = "swin3d";

    Extent3 patch{2, 4, 4};
    int embed_dim = 0;
    std::vector<int> depths, heads;
    Extent3 window{8, 7, 7};
    double mlp_ratio = 4;
    std::array<int, 2> head_hidden{400, 200};
    double drop_path = 0.3;
    double dropout = 0.5;
    Quantisation quantisation;  ///< the spec's, of the linear layers
    LowRank low_rank;           ///< the spec's, of attention's projections and the MLPs

    [[nodiscard]] std::vector<Field> fields() {
        return {
            {"patch", patch, {1, 256}, "of a patch; clips are zero-padded at their end"},
            {"embed_dim",
             embed_dim,
             {1, 8192},
             "width of the first stage; doubles with each stage"},
            {"depths", depths, {1, 4}, {1, 64}, "blocks of each stage"},
            {"heads", heads, {1, 4}, {1, 65536}, "of each stage's attention; divide its width"},
            {"window", window, {1, 32}, "of attention, in tokens; odd blocks shift it by half"},
            {"mlp_ratio", mlp_ratio, {1.0 / 64, 64}, "hidden width of MLPs over the stage's width"},
            {"head_hidden",
             head_hidden,
             {1, 65536},
             "widths between the last stage and the output"},
            {"drop_path", drop_path, {0, 0.99}, "stochastic depth of the last block; rises from 0"},
            {"dropout", dropout, {0, 0.99}, "before the head"},
        };
    }

    /// Channels of a stage.
    [[nodiscard]] int width(std::size_t stage) const { return embed_dim << stage; }
    /// Hidden width of a stage's MLPs.
    [[nodiscard]] int mlp_width(std::size_t stage) const {
        return static_cast<int>(width(stage) * mlp_ratio);
    }

    [[nodiscard]] LayerGroups layer_groups() const { return {depths.size(), true, true}; }
    [[nodiscard]] TensorFormats tensor_formats() const { return {{"tt", "ttm"}, {}}; }
    [[nodiscard]] std::vector<TensorLayer> tensor_layers(const ClipShape& clip) const;
    [[nodiscard]] std::optional<std::string> problem() const;
    [[nodiscard]] ModelCounts count(const ClipShape& clip) const;
    /// In src/model/families/.
    [[nodiscard]] std::shared_ptr<Network> build(const ClipShape& clip, int outputs) const;
};

}  // namespace edgeloop
