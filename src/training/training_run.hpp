#pragma once

#include "failure.hpp"
#include "gradient_averager.hpp"
#include "model/network.hpp"
#include "regression_sums.hpp"
#include "training_state.hpp"

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/search/candidate.hpp"
#include "edgeloop/space/architecture_spec.hpp"
#include "edgeloop/training/trainer.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace edgeloop {

/// Everything one rank holds while it trains one candidate. Knows nothing of other ranks but the
/// averager; who calls what in which order is the Trainer's business.
class TrainingRun {
  public:
    /// Builds network, optimiser and loaders. @throws Error, c10::Error, std::bad_alloc.
    TrainingRun(const TrainingSettings& settings, const Candidate& candidate,
                const Communicator& group);

    /// Gives all ranks the leader's weights. Collective.
    void share_weights();

    /// @param step  where to go on in a begun epoch.
    void start_epoch(int epoch, std::size_t step);
    /// One step: the next batch forward and backward, gradients averaged, weights moved.
    ///
    /// Collective: whatever goes wrong on this rank, it takes part and tells the others.
    /// @param cancel_requested  asked once; may throw like the rest of the step.
    [[nodiscard]] StepTotals step(const std::function<bool()>& cancel_requested);

    void start_validation();
    /// Adds the next validation batch to the sums. @throws what LibTorch throws.
    void validation_step();
    [[nodiscard]] RegressionSums& validation_sums() { return sums_; }

    /// State of this candidate with everything needed to go on, and back. The identity is a digest
    /// of all that decides its course but the budget.
    [[nodiscard]] std::string save(const TrainingProgress& progress) const;
    /// @throws CorruptState  the network may then hold anything.
    [[nodiscard]] TrainingProgress restore(const std::string& bytes, const std::string& where);
    [[nodiscard]] std::map<std::string, torch::Tensor> weights() const;

    [[nodiscard]] std::size_t train_steps() const { return train_.steps_per_epoch(); }
    [[nodiscard]] std::size_t validation_steps() const { return validation_.steps_per_epoch(); }
    [[nodiscard]] int epochs() const { return epochs_; }
    /// What went wrong on this rank in the last step.
    [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

  private:
    class MixedPrecision;

    /// The network's answers to the batch at hand, float32.
    [[nodiscard]] torch::Tensor predict();
    void forward_and_backward(StepTotals& own);
    [[nodiscard]] torch::Tensor clips_of(const Batch& batch);
    void seed_dropout() const;
    [[nodiscard]] std::string identity() const;

    TrainingSettings settings_;
    Candidate candidate_;
    ArchitectureSpec spec_;
    Communicator group_;
    torch::Device device_;
    int epochs_;
    std::shared_ptr<Network> network_;
    std::vector<torch::Tensor> parameters_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    GradientAverager averager_;
    Loader train_, validation_;
    Batch batch_;
    torch::Tensor host_clips_;
    RegressionSums sums_;
    int epoch_ = 0;
    std::size_t step_ = 0;
    std::optional<Failure> failure_;
};

/// The device of this rank: for CUDA the one its rank on the node selects. @throws ConfigError CUDA
/// is asked for and there is none.
[[nodiscard]] torch::Device choose_device(Device wanted);

}  // namespace edgeloop
