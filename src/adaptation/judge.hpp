#pragma once

#include "edgeloop/adaptation/adapt.hpp"
#include "edgeloop/adaptation/labelled_clips.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/graph.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop::adaptation {

/// Clips to learn from, and those that are held back: all of a line are on one side.
struct Parts {
    std::vector<std::size_t> learnt, held_back;
    std::size_t learnt_lines = 0, held_back_lines = 0;
};
[[nodiscard]] Parts split_lines(const LabelledClips& clips, double held_back, std::uint64_t seed);

/// Of the lines that were held back, in the order of their first clips.
struct Verdict {
    Judgement judgement;
    std::vector<double> errors;  ///< squared error of each line, of targets divided by their scales
};
/// Runs the graph as a device does.
[[nodiscard]] Verdict judge(const inference::Graph& graph, const LabelledClips& clips,
                            const std::vector<std::size_t>& which);
/// Errors of the mean of the labels that were learnt from.
[[nodiscard]] std::vector<double> errors_of_mean(
    const LabelledClips& clips, const std::vector<inference::OutputTarget>& targets,
    const Parts& parts);

}  // namespace edgeloop::adaptation
