#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/data/target.hpp"
#include "edgeloop/data/window.hpp"
#include "edgeloop/deploy/selection.hpp"
#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// What decides which windows of a dataset a network was trained and judged on, besides frames and
/// stride, which its spec says.
struct SampleRules {
    int margin = WindowRule().margin;
    ShortLines short_lines = ShortLines::skip;
    int shortest_line = 0;       ///< see WindowRule
    int validation_windows = 1;  ///< of each validation line
    std::uint64_t data_seed = 0;
    std::size_t max_train_samples = 0, max_validation_samples = 0;  ///< 0: all
    bool augment = false;
    Crop crop = Crop::causal;  ///< of the shards

    [[nodiscard]] WindowRule window(const ClipShape& clip) const {
        return {clip.frames, clip.stride, margin, short_lines, shortest_line};
    }
};

/// One training of the design with a seed of its own.
struct Repeat {
    std::uint64_t seed = 0;
    int best_epoch = 0;     ///< counted from 1, by val_rmse; what is kept is of this epoch
    bool averaged = false;  ///< the average of the weights was better than the weights
    Metrics metrics;        ///< of that epoch, on the validation part
};

/// Of a metric over the repeats.
struct Spread {
    double mean = 0;
    double sd = 0;  ///< standard deviation of the sample; 0 with one repeat
    std::size_t n = 0;
};

/// Mean and standard deviation of every metric that all repeats have.
[[nodiscard]] std::map<std::string, Spread> spread_over(const std::vector<Repeat>& repeats);

/// A trained network: what `edgeloop-model train` leaves in a folder, and what is evaluated,
/// exported and deployed. Files: src/deploy/README.md.
struct TrainedModel {
    ArchitectureSpec spec;  ///< with the recipe as it was trained
    std::string program;    ///< version that trained it
    std::vector<Repeat> repeats;
    std::size_t chosen = 0;  ///< the repeat whose weights these are
    std::map<std::string, Spread> metrics;
    std::string dataset_digest, dataset_path;
    std::vector<Target> targets;  ///< one for each output, in their order
    SampleRules rules;
    /// The run and the member it was selected from; run_dir empty: none.
    std::string from_run_dir;
    CandidateId from_id = 0;
    Metrics from_objectives;
    Promise promise;  ///< what the search measured; empty: nothing
    /// What else decided the result, by the names of the program's options.
    std::map<std::string, std::string> options;
    std::string weights_digest;  ///< of the bytes of weights.safetensors
    std::string folder;          ///< it was loaded from

    [[nodiscard]] std::string weights_file() const { return folder + "/weights.safetensors"; }
    [[nodiscard]] const Repeat& best() const { return repeats.at(chosen); }

    /// Reads and checks a folder; the weights are read once, to compare their digest, and bounded
    /// by what the design can have.
    /// @throws ConfigError  no such folder; a file is missing, damaged, not of this folder's
    ///                      training, or of a later version.
    [[nodiscard]] static TrainedModel load(const std::string& folder);

    /// Writes weights, spec and record, the record last: a folder without it is no trained model.
    /// Sets program, weights_digest and folder, and gives the spec the form in which it is read.
    /// @param weights  bytes of a safetensors file.
    /// @throws IoError
    void save(const std::string& into, std::string_view weights);
};

/// Whether there is a finished training in the folder.
[[nodiscard]] bool holds_trained_model(const std::string& folder);

}  // namespace edgeloop
