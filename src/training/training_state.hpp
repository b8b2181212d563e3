#pragma once

#include "edgeloop/search/candidate.hpp"

#include <cstddef>
#include <string>

#include <torch/torch.h>

namespace edgeloop {

/// How far a candidate has been trained. Everything else that decides its future is in weights and
/// optimiser: dropout and batch order are addressed by epoch and step.
struct TrainingProgress {
    int epoch = 0;          ///< the next step's
    std::size_t step = 0;   ///< the next one in that epoch
    double samples = 0;     ///< of the epoch so far
    double loss_sum = 0;    ///< of the epoch so far
    double best_rmse = -1;  ///< smallest val_rmse so far; negative: none yet
    int epochs_since_best = 0;
};

/// Saved progress with weights and optimiser. @param identity  of what would be trained.
[[nodiscard]] std::string encode_training_state(const std::string& identity,
                                                const TrainingProgress& progress,
                                                const torch::nn::Module& network,
                                                const torch::optim::Optimizer& optimizer);

/// Puts weights and optimiser back.
/// @throws CorruptState  damaged, of another version, or of another identity.
[[nodiscard]] TrainingProgress restore_training_state(const std::string& bytes,
                                                      const std::string& identity,
                                                      torch::nn::Module& network,
                                                      torch::optim::Optimizer& optimizer,
                                                      const std::string& where);

[[nodiscard]] std::string training_state_path(const std::string& state_dir, CandidateId id);

}  // namespace edgeloop
