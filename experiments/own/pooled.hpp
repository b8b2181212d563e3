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

/// Means over the cells of a coarse grid, then dense layers.
struct Pooled {
    static constexpr const char* name = "pooled";

    Extent3 grid{4, 6, 6};
    std::vector<int> hidden;
    double dropout = 0;
    Quantisation quantisation;  ///< the spec's; this family has float32 alone
    LowRank low_rank;           ///< the spec's; and no layers in tensor form

    [[nodiscard]] std::vector<Field> fields() {
        return {
            {"grid", grid, {1, 64}, "cells over time, height and width; at most the clip's"},
            {"hidden", hidden, {0, 16}, {1, 65536}, "widths of the dense layers before the last"},
            {"dropout", dropout, {0, 0.99}, "before the first dense layer"},
        };
    }

    /// Cells that fit: no more than the clip has positions.
    [[nodiscard]] Grid3 cells(const ClipShape& clip) const;
    [[nodiscard]] LayerGroups layer_groups() const { return {0, false, !hidden.empty()}; }
    [[nodiscard]] TensorFormats tensor_formats() const { return {}; }
    [[nodiscard]] std::vector<TensorLayer> tensor_layers(const ClipShape& /*clip*/) const {
        return {};
    }
    [[nodiscard]] std::optional<std::string> problem() const;
    [[nodiscard]] ModelCounts count(const ClipShape& clip) const;
    /// In pooled_network.cpp, which needs LibTorch.
    [[nodiscard]] std::shared_ptr<Network> build(const ClipShape& clip, int outputs) const;
};

}  // namespace edgeloop
