#pragma once

#include "edgeloop/core/shipped.hpp"
#include "edgeloop/deploy/evaluation.hpp"
#include "edgeloop/deploy/stored_network.hpp"
#include "edgeloop/deploy/test_vectors.hpp"
#include "edgeloop/deploy/trained_model.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// What is handed over, and where it comes from.
struct HandoverRequest {
    StoredNetwork network;
    /// As edgeloop-model train recorded it. Of a search's weights: without repeats, and only what
    /// the search knows; the model card says so.
    TrainedModel origin;
    std::string shards;  ///< folder: figures and test vectors are of a part of them
    EvaluationOptions options;
    std::string licence;            ///< of the data, as their owner states it; empty: not stated
    std::size_t test_windows = 64;  ///< test vectors of the part; edge cases come in addition
    std::vector<std::string>
        files;        ///< of model_file_names(); those that cannot be had are left out
    std::string out;  ///< folder to make
    /// Told a line about each file that is made.
    std::function<void(const std::string&)> say = [](const std::string&) {};
};

/// Model files that there are, by name: "model.onnx", "model-int8.onnx", ...
[[nodiscard]] std::vector<std::string> model_file_names();

/// The weights that a search kept of a member of its front.
/// @throws ConfigError  it kept none.
[[nodiscard]] HandoverRequest handover_of(const Selection& selection);
[[nodiscard]] HandoverRequest handover_of(const TrainedModel& model);

struct Handover {
    std::string folder;
    std::vector<std::string> files;     ///< names inside it
    std::vector<std::string> left_out;  ///< model files that cannot be had, and why
    Assessment assessment;
    std::size_t vectors = 0;  ///< of each model file
};

/// Makes the folder: model files with their test vectors, spec and weights, figures, model card,
/// README and programs that check the files. It appears whole or not at all; what a kill leaves is
/// called OUT.tmp...
/// @throws ConfigError  the folder is there already; as evaluate_part(), test_clips(); IoError.
[[nodiscard]] Handover hand_over(const HandoverRequest& request);

/// The files of src/deploy/handover/, by their whole names.
[[nodiscard]] const std::vector<ShippedFile>& shipped_checkers();

}  // namespace edgeloop
