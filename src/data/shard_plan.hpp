#pragma once

#include "data/file_stamp.hpp"
#include "data/shard_file.hpp"

#include "edgeloop/core/json.hpp"
#include "edgeloop/data/shard.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// Where the lines of a layer of the catalogue come from.
struct PlannedLayer {
    std::size_t file = 0;  ///< position in ShardPlan::files
    LayerInfo info;
};

/// A line that has frames; its global number is its position in ShardPlan::lines.
struct PlannedLine {
    std::uint32_t layer = 0;     ///< position in the layers of plan and catalogue
    std::uint32_t position = 0;  ///< in the layer's LineIndex
    std::int64_t scan_line = 0;
    std::uint32_t frames = 0;
};

/// What goes where, known before any frame is read, and the same on every rank.
struct ShardPlan {
    std::vector<std::string> files;
    External external = External::refuse;  ///< as the files are opened
    std::vector<PlannedLayer> layers;
    std::vector<PlannedLine> lines;
    std::vector<double> labels;     ///< (lines, targets) in physical units; NaN when unlabelled
    std::vector<std::size_t> cuts;  ///< shard s holds the lines [cuts[s], cuts[s + 1])
    std::map<std::string, FileStamp> seen;  ///< every file that holds a part of the recordings
    Json settings;                          ///< all that decides the shards' content
    Catalogue catalogue;                    ///< without the shards' sizes and digests
};

/// @throws ConfigError  as ShardJob's constructor.
[[nodiscard]] ShardPlan make_shard_plan(const ShardOptions& options);

/// Cuts `weights` into `pieces` runs of consecutive entries whose sums differ little.
///
/// @return pieces + 1 positions, first 0, last weights.size(), strictly ascending: no run is empty.
/// REQUIRES: 1 <= pieces <= weights.size().
[[nodiscard]] std::vector<std::size_t> balanced_cuts(const std::vector<std::uint64_t>& weights,
                                                     std::size_t pieces);

/// "shard-00003.h5".
[[nodiscard]] std::string shard_name(std::size_t shard);
[[nodiscard]] ShardHead shard_head(const ShardPlan& plan, std::size_t shard);

}  // namespace edgeloop
