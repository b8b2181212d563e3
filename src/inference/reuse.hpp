#pragma once

#include "inference/place.hpp"
#include "inference/steps.hpp"

#include <cstdint>
#include <vector>

namespace edgeloop::inference {

/// What stays of a tensor when the clip moves on in time: position t of [low, high - shift) is what
/// t + shift was. Positions outside [low, high) depend on the padding before or after the clip.
struct Reuse {
    int shift = 0;  ///< positions; 0: nothing stays
    int low = 0, high = 0;

    [[nodiscard]] bool keeps() const { return shift > 0 && high - shift > low; }
    /// Those that do not stay.
    [[nodiscard]] Times fresh() const { return keeps() ? Times{low, high - shift} : Times{}; }
};

/// Of all tensors, for a clip that moves on by `stride` frames; 0: nothing stays.
///
/// Layers that look at all of time (norm, mean, linear, weights of channels) keep nothing, and what
/// steps over time keeps something where its steps divide the shift.
[[nodiscard]] std::vector<Reuse> reuse_of(const Graph& graph, const std::vector<TensorKind>& kinds,
                                          int stride);

/// The same network, with pools over time behind pools over the place, where the result of the
/// former stays and that of both together would not. A maximum of maxima is the same.
[[nodiscard]] Graph with_parted_pools(Graph graph, int stride);

/// Positions of a layer's input that these of its result see.
[[nodiscard]] Times times_read(const Layer& layer, int input_length, const Times& results,
                               int result_length);

/// Moves what stays to its new place; does nothing in a pass over all.
[[nodiscard]] std::unique_ptr<Step> keeping_step(const Place& place, const Reuse& reuse);
void keep(const Place& place, const Reuse& reuse);

}  // namespace edgeloop::inference
