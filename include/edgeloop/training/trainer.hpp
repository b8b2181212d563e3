#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/core/access.hpp"
#include "edgeloop/data/window.hpp"
#include "edgeloop/evaluation/cancel_token.hpp"
#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/model/kernels.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

class Dataset;

/// Where networks are trained.
enum class Device {
    automatic,  ///< a CUDA device when there is one, else the CPU
    cpu,
    cuda
};

/// How the gradients of a group meet.
enum class GradientExchange {
    overlapped,  ///< buckets travel while backward still computes
    simple,      ///< everything travels after backward
    staged       ///< the same through a copy in host memory; CUDA's gradients always take this way
};

/// What holds for all candidates of a run; what differs between them is in their specs.
struct TrainingSettings {
    std::string shards;  ///< folder with catalogue.json and the shard files
    /// The same, opened already; nothing: a Trainer opens `shards` with its first candidate, once.
    std::shared_ptr<const Dataset> dataset;
    std::size_t max_train_samples = 0;       ///< 0: all
    std::size_t max_validation_samples = 0;  ///< 0: all
    int margin = WindowRule().margin;        ///< frames at each end of a line in no window
    ShortLines short_lines = ShortLines::skip;
    int shortest_line = 0;        ///< see WindowRule
    int validation_windows = 1;   ///< of each validation line
    std::uint64_t data_seed = 0;  ///< chooses those samples; the same for all candidates
    bool augment = false;         ///< flips and quarter turns
    bool start_at_mean = false;   ///< an untrained network predicts the training part's mean
    int prefetch = 2;             ///< batches prepared ahead by a thread of each rank
    int threads = 1;              ///< of each rank, for tensor operations
    Device device = Device::automatic;
    GradientExchange exchange = GradientExchange::overlapped;
    std::optional<Kernels> kernels;  ///< nothing: fused on the CPU, library on CUDA
    bool mixed_precision = false;    ///< matrix products in bfloat16, weights in float32
    double clip_norm = 0;            ///< gradients longer than this are shortened to it; 0: never
    /// Memory one rank may use for a candidate; 0: nine tenths of this machine's, shared equally
    /// among its ranks. A design that needs more fails before it is built.
    double memory_limit_mib = 0;
    /// The recipe's batch is for each rank of a group of this size; the ranks of another group
    /// share the same global batch, each taking its part, rounded up. 0: for each rank of any
    /// group.
    int batch_ranks = 0;
    /// Stop when val_rmse has not fallen by 1 % for so long, and give the epoch with the smallest
    /// one, its metrics and its weights; 0: train to the end and give the last.
    int patience_epochs = 0;
    /// Validate after every epoch and give the best one, as with patience, but train to the end.
    bool keep_best_epoch = false;
    /// Decay of an exponential moving average of the weights, which is validated beside them after
    /// every epoch; whichever has the smaller val_rmse is that epoch's result. After step t the
    /// decay is min(this, (1 + t) / (10 + t)), so that the average of a short training leaves its
    /// beginning behind. 0: no average. REQUIRES: keep_best_epoch or patience_epochs.
    double average_decay = 0;
    /// With state_dir: save after every epoch, so that a killed training goes on from the last one,
    /// and let the state stay at the end. A state or weights that cannot be written end the
    /// training as lost. REQUIRES: keep_best_epoch or patience_epochs.
    bool save_every_epoch = false;
    /// On the leader, after every epoch that was validated and once for those that were restored.
    /// @param curve  of all epochs so far.   @param trained  the last of them has just ended.
    std::function<void(const std::vector<EpochRecord>& curve, bool trained)> on_epoch = {};
    /// Folder, seen by all ranks, where unfinished training is kept between rungs and across a
    /// stop; empty: nowhere, and training starts anew.
    std::string state_dir;
    /// Conditions of the results that are none of the above: they tell trainings apart, too.
    std::string conditions;
    /// Folder for the weights of completed candidates, as <id>.safetensors; empty: not saved.
    std::string weights_dir;
    Access access = Access::owner;  ///< for whom the files in these two folders are
};

/// Trains candidates, one at a time, on the ranks of a group.
///
/// Data-parallel: each rank takes recipe.batch samples a step and gradients are averaged over all
/// samples of the group. On the CPU a result depends on the candidate, the settings and the size of
/// the group alone.
class Trainer {
  public:
    /// @throws ConfigError  the device that is asked for is not there, or has no such kernels;
    /// mixed precision on a CPU that was not asked for by name.
    explicit Trainer(TrainingSettings settings);

    /// Trains and validates. Called by all ranks of the group; returns the same outcome on all.
    ///
    /// Metrics: val_rmse (all targets, normalised), per target val_rmse_<name>_<unit> and
    /// r2_<name>, train_loss (mean of the epoch that is given), train_epochs (trained in all); with
    /// patience_epochs or keep_best_epoch best_epoch, the one that is given, counted from 1. The
    /// curve has the epochs of this call, and those before a break of the same training.
    ///
    /// failed: the loss is not finite, memory ran out, an exception on any rank. lost: the system
    /// is to blame, e.g. files cannot be read or an accelerator is broken, or the ranks see
    /// different copies of the dataset. cancelled: within one step of the token's request, which
    /// only the leader sees.
    ///
    /// With a state_dir, training goes on from what an earlier call saved there for the same
    /// candidate, settings and size of group, and ends with the same bits as without the break. It
    /// is saved at the end when candidate.keep_state, and on a request of a token that
    /// will_resume(). A damaged state is reported and training starts anew.
    [[nodiscard]] Outcome train(const Candidate& candidate, const Communicator& group,
                                const CancelToken& token) const;

    [[nodiscard]] const TrainingSettings& settings() const { return settings_; }

  private:
    TrainingSettings settings_;
    mutable std::shared_ptr<const Dataset> dataset_;  ///< opened when first needed
};

/// What the ranks of a run train on.
struct TrainingDevices {
    Device device = Device::cpu;                ///< the same for all; never automatic
    std::map<std::string, int> ranks_by_model;  ///< e.g. {"NVIDIA H200": 4}; of ranks that train

    /// E.g. "CUDA: NVIDIA H200 (4 ranks)".
    [[nodiscard]] std::string description() const;
};

/// What all ranks that train will train on, so that none falls back to the CPU alone: for
/// Device::automatic CUDA when every one of them has a CUDA device, the CPU when none has.
/// Collective, also on ranks that do not train.
///
/// @throws ConfigError  on all ranks alike: some have the device and some have not (says which), or
///                      settings and device do not fit, as for the constructor of Trainer.
[[nodiscard]] TrainingDevices agree_on_devices(const Communicator& world,
                                               const TrainingSettings& settings, bool trains);

}  // namespace edgeloop
