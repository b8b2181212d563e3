#pragma once

#include "rank_adaptation.hpp"

#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/training/trainer.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace edgeloop {

/// How far a candidate has been trained. Everything else that decides its future is in weights and
/// optimiser: dropout and batch order are addressed by epoch and step.
struct TrainingProgress {
    int epoch = 0;                   ///< the next step's
    std::size_t step = 0;            ///< the next one in that epoch
    double samples = 0;              ///< of the epoch so far
    double loss_sum = 0;             ///< of the epoch so far
    std::vector<EpochRecord> curve;  ///< of the epochs that have ended

    // Only of a training that validates every epoch:
    int validated = 0;         ///< epochs whose end has been validated and judged
    double plateau_rmse = -1;  ///< val_rmse from which a fall by 1 % counts; negative: none yet
    int epochs_on_plateau = 0;
    int best_epoch = 0;    ///< counted from 1, the one with the smallest val_rmse; 0: none yet
    Metrics best_metrics;  ///< of that epoch, as they are reported

    /// Of a network that is no more.
    void forget_best() {
        plateau_rmse = -1;
        epochs_on_plateau = best_epoch = 0;
        best_metrics.clear();
    }

    // Only of a training in which ranks adapt:
    AdaptationProgress adaptation;
    std::vector<Ranks> ranks;  ///< of the layers that had them open; empty: they have
    double shrink_change = 0;  ///< of val_rmse, relative, as ranks became final
    double peak_bytes = 0;     ///< most memory of a step so far
};

/// Parameters and buffers by name, in host memory.
using Weights = std::map<std::string, torch::Tensor>;

/// The final ranks in a state; empty: they are open, or were never. @throws as
/// restore_training_state().
[[nodiscard]] std::vector<Ranks> ranks_in_state(const std::string& bytes,
                                                const std::string& identity,
                                                const std::string& where);

struct RestoredTraining {
    TrainingProgress progress;
    Weights best;     ///< after progress.best_epoch; empty when there is none
    Weights average;  ///< of the parameters; empty when there is none
};

/// Saved progress with weights and optimiser.
/// @param identity  of what would be trained.
/// @param best      weights after progress.best_epoch; empty when there is none.
/// @param average   of the parameters; empty when there is none.
[[nodiscard]] std::string encode_training_state(const std::string& identity,
                                                const TrainingProgress& progress,
                                                const Weights& best, const Weights& average,
                                                const torch::nn::Module& network,
                                                const torch::optim::Optimizer& optimizer);

/// Puts weights and optimiser back.
/// @throws CorruptState  damaged, of another version, or of another identity.
[[nodiscard]] RestoredTraining restore_training_state(const std::string& bytes,
                                                      const std::string& identity,
                                                      torch::nn::Module& network,
                                                      torch::optim::Optimizer& optimizer,
                                                      const std::string& where);

}  // namespace edgeloop
