#pragma once

#include "edgeloop/data/external.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/deploy/predictor.hpp"
#include "edgeloop/deploy/scores.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// Where lines come from.
struct LayerName {
    std::string source;  ///< file, without folders
    std::string object, layer;
};

struct PredictedLine {
    std::size_t layer = 0;       ///< position in Predictions::layers
    std::int64_t scan_line = 0;  ///< its number in the recording
    std::uint64_t frames = 0;
    bool has_window = true;  ///< false: too short for one, and nothing is predicted
};

/// What a network says of the middle window of some lines, in the order of their files.
struct Predictions {
    std::vector<Target> targets;
    std::vector<LayerName> layers;
    std::vector<PredictedLine> lines;
    /// (lines, targets), divided by their scales; not a number where there is no prediction, or
    /// where the line is not labelled.
    std::vector<float> predicted, expected;

    /// Lines that have no window.
    [[nodiscard]] std::size_t left_out() const;
    /// Whether a line was predicted and is labelled.
    [[nodiscard]] bool is_scored(std::size_t line) const;
};

/// Of the lines of a part that the rule uses; lines without room for a window are left out.
/// REQUIRES: not the training part.
/// @throws ConfigError  no line of the part has room for a window; an answer that is no number.
[[nodiscard]] Predictions predict_part(const Predictor& network,
                                       const std::shared_ptr<const Dataset>& dataset,
                                       SplitPart part, const WindowRule& rule, int batch);

/// Of every line with frames of recordings that were not made into shards, cropped in the same way.
/// @throws ConfigError  an unusable recording, or one with other targets than these; an answer that
/// is no number; Stopped.
[[nodiscard]] Predictions predict_recordings(const Predictor& network,
                                             const std::vector<std::string>& files,
                                             const std::vector<Target>& targets, Crop crop,
                                             External external, const WindowRule& rule, int batch);

/// A row for each line: source, object, layer, scan_line, frames, predicted_<target>_<unit> of each
/// target and true_<target>_<unit>, in physical units; an empty cell where there is none.
[[nodiscard]] std::string to_csv(const Predictions& predictions);

/// What stays together when resampling.
enum class ResampledBy { line, layer, object };
[[nodiscard]] const char* name_of(ResampledBy unit);
/// The largest of them of which there are at least 10: lines of a layer, and layers of an object,
/// resemble each other, and from fewer nothing can be said.
[[nodiscard]] ResampledBy usual_unit(const Predictions& predictions);

/// The lines that are scored, grouped.
[[nodiscard]] ScoredWindows scored_windows(const Predictions& predictions, ResampledBy unit);

/// Keeps of both the lines that both have and score, so that they can be compared.
void keep_common_lines(Predictions& one, Predictions& other);

}  // namespace edgeloop
