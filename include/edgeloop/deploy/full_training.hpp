#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/deploy/selection.hpp"
#include "edgeloop/deploy/trained_model.hpp"
#include "edgeloop/evaluation/cancel_token.hpp"
#include "edgeloop/training/trainer.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace edgeloop {

/// How a folder that holds a training already is met.
enum class IntoFolder {
    fresh,      ///< refused
    overwrite,  ///< what is there goes
    resume      ///< it goes on, or is finished
};

/// A design's training to the end of its schedule, a number of times.
struct FullTraining {
    ArchitectureSpec spec;  ///< with the recipe as it is trained
    TrainingSettings
        settings;            ///< with its dataset; which epoch is kept, files: set by train_fully
    std::uint64_t seed = 1;  ///< repeat r of 0 to repeats - 1 has seed + r
    int repeats = 1;
    std::string out;  ///< folder: src/deploy/README.md
    IntoFolder into = IntoFolder::fresh;
    /// What decides the result and is not in the spec, by name: a resume with others is refused.
    std::map<std::string, std::string> options;
    Selection from;  ///< the member of a run's front that it is; run_dir empty: none
    /// Told a line about what goes on, on the first rank.
    std::function<void(const std::string&)> say = [](const std::string&) {};
};

/// Trains the repeats one after the other, each data-parallel on all ranks, keeps the best epoch of
/// the best of them by val_rmse, and writes the folder. Every epoch is saved: what is killed goes
/// on from the last one and ends with the same curve and the same weights, bit for bit. Collective.
///
/// @return the model on the first rank; on the others one without weights.
/// @throws ConfigError  on all ranks: the folder holds a training, or another one than is resumed;
///                      the training failed, e.g. its loss is not finite.
/// @throws IoError      on all ranks: files could not be read or written.
/// @throws Stopped      on all ranks: the token asked for it; what was trained is saved.
TrainedModel train_fully(const FullTraining& training, const Communicator& world,
                         const CancelToken& token);

/// Whether a training was begun or finished in the folder.
[[nodiscard]] bool holds_training(const std::string& folder);

}  // namespace edgeloop
