#pragma once

#include "edgeloop/data/baselines.hpp"
#include "edgeloop/data/progress.hpp"
#include "edgeloop/data/recording.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace edgeloop {

struct InspectOptions {
    std::vector<std::string> input;  ///< RAISE-LPBF files or patterns
    bool quick = false;              ///< do not read the frames: no grey values, no damaged chunks
    std::string montage;             ///< PNG to write with example lines; empty: none
    External external = External::refuse;
};

/// Smallest, largest and in between of a quantity; all zero when count is 0.
struct Distribution {
    std::uint64_t count = 0;
    double minimum = 0, p10 = 0, median = 0, p90 = 0, maximum = 0, mean = 0;
};

[[nodiscard]] Distribution distribution_of(std::vector<double> values);

enum class Severity {
    note,   ///< worth knowing; everything still works
    error,  ///< sharding refuses this file
};

/// Something about a file that its owner should know.
struct FileProblem {
    Severity severity = Severity::error;
    std::string place;  ///< file and, where known, group and dataset
    std::string text;
};

struct FileInspection {
    std::string path;
    std::uint64_t bytes = 0;
    std::string layout;  ///< "v1.0", "v1.1", or empty when unreadable
    std::set<std::string> objects;
    std::uint64_t layers = 0, unlabelled_layers = 0, lines = 0, frames = 0;
    std::set<std::string> frame_sizes;    ///< "72x88"
    std::set<std::string> index_types;    ///< "int64"
    std::set<std::string> frame_storage;  ///< "contiguous" or "chunks (8, 72, 88)"
    Distribution frames_per_line;         ///< of lines that have frames
    std::vector<Target> targets;
    std::vector<Distribution> labels;  ///< of each target, of labelled lines
    bool frames_were_read = false;
    double saturated_fraction = 0;  ///< of all pixels, value 255
    double mean_grey = 0;
    std::vector<FileProblem> problems;
};

struct Inspection {
    std::vector<FileInspection> files;
    /// What a reader can get without a network, fitted on some objects (layers, when there is one
    /// object) and scored on the others. Empty: not enough labelled lines, or nothing was read.
    std::vector<Baseline> baselines;
    std::size_t fitted = 0, scored = 0;  ///< windows
    std::string held_out = {};           ///< "objects" or "layers"

    [[nodiscard]] bool has_errors() const;
};

/// Reads whole files in pieces and describes them. What is wrong with a file or layer is recorded
/// and the rest is read on.
/// @param progress  in frames; the total grows file by file.
/// @throws ConfigError  no input matches, or no line can be shown in the montage; IoError  the
/// montage cannot be written; Stopped.
[[nodiscard]] Inspection inspect(const InspectOptions& options,
                                 const ProgressCallback& progress = {});

/// For people: a line for each baseline.
[[nodiscard]] std::string to_text(const std::vector<Baseline>& baselines,
                                  const std::vector<Target>& targets);
/// For people.
[[nodiscard]] std::string to_text(const Inspection& inspection);
/// For programs: one JSON object.
[[nodiscard]] std::string to_json_text(const Inspection& inspection);

}  // namespace edgeloop
