#pragma once

#include "gradient_averager.hpp"
#include "model/network.hpp"
#include "rank_adaptation.hpp"
#include "regression_sums.hpp"
#include "training_state.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/evaluation/candidate.hpp"
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
/// averager; who calls what in which order is the Trainer's business. Everything may throw Error,
/// c10::Error and std::bad_alloc; what is not collective may do so on one rank alone.
class TrainingRun {
  public:
    /// Builds network, optimiser and loaders.
    TrainingRun(const TrainingSettings& settings, std::shared_ptr<const Dataset> dataset,
                const Candidate& candidate, const Communicator& group);

    /// A copy in host memory, and back.
    [[nodiscard]] Weights weights() const;
    /// Those to be given away: scales of bonds are part of their cores.
    [[nodiscard]] Weights given_weights() const;
    void set_weights(const Weights& host);

    /// @param step  where to go on in a begun epoch.
    void start_epoch(int epoch, std::size_t step);
    /// The next batch forward and backward, up to the gradients' exchange; says in `own` what it
    /// brings to the step.
    void compute_gradients(StepTotals& own);
    /// Collective, also for a rank that failed: it tells the others. @throws CommError alone.
    [[nodiscard]] StepTotals exchange_gradients(const StepTotals& own);
    /// @param rate  of learning, instead of the schedule's; 0: the schedule's.
    void update_weights(const StepTotals& totals, double rate = 0);
    /// By the schedule, of the last step of an epoch counted from 0.
    [[nodiscard]] double last_rate(int epoch) const;

    /// Exchanges weights and their average, or not: whichever of them is to be validated and given
    /// by weights(). Training goes on with the weights.
    void use_average(bool average);
    /// Whether layers are quantised, and the first epoch that trains them so; epochs before it, and
    /// the observation of activations, are in float32.
    [[nodiscard]] bool has_rounding() const;
    [[nodiscard]] int first_rounding_epoch() const;
    /// Passes the first batches of epoch 0 through the network. What each layer has read, to be
    /// added up over the ranks; and its steps from there.
    void observe_activations();
    [[nodiscard]] std::vector<double> observed_activations();
    void start_rounding(const std::vector<double>& observed);

    /// Epochs after which ranks are final; 0: they are already.
    [[nodiscard]] int adaptive_epochs() const { return ranks_open_ ? adaptive_epochs_ : 0; }
    /// Leaves out of cores, and of the optimiser's state, what is not worth keeping. Processors may
    /// round a decomposition differently: one rank does it, the others restore() what it saves.
    /// @return the ranks of the layers that had them open.
    std::vector<Ranks> settle_ranks();
    /// Of each layer in tensor form.
    [[nodiscard]] std::map<std::string, Ranks> final_ranks() const;
    /// Most memory that tensors of a step took on this rank: weights, gradients, the optimiser's
    /// state, and what forward and backward pass allocated. The first step also makes what all
    /// later ones share, and counts only where there is no other.
    [[nodiscard]] double peak_bytes() const { return peak_bytes_ > 0 ? peak_bytes_ : first_peak_; }
    /// What the network now costs.
    [[nodiscard]] ModelCounts counts() const { return count(spec_); }

    void start_validation();
    /// Adds the next validation batch to the sums.
    void validation_step();
    [[nodiscard]] RegressionSums& validation_sums() { return sums_; }

    /// State of this candidate with everything needed to go on, and back. The identity is a digest
    /// of all that decides its result but the budget.
    [[nodiscard]] std::string save(const TrainingProgress& progress, const Weights& best);
    /// @throws CorruptState  the network may then hold anything.
    [[nodiscard]] RestoredTraining restore(const std::string& bytes, const std::string& where);

    [[nodiscard]] std::size_t train_steps() const { return train_.steps_per_epoch(); }
    [[nodiscard]] std::size_t validation_steps() const { return validation_.steps_per_epoch(); }
    [[nodiscard]] int epochs() const { return epochs_; }

  private:
    /// Calls `pass(first, count)` for one part of the batch at hand after the other.
    void for_each_part(const std::function<void(std::size_t, std::size_t)>& pass) const;
    /// The network's answers to these clips of the batch at hand, float32.
    [[nodiscard]] torch::Tensor predict(std::size_t first, std::size_t count);
    void forward_and_backward(StepTotals& own);
    void seed_dropout() const;
    [[nodiscard]] std::string identity() const;
    void update_average();
    void adapt_ranks(const StepTotals& totals);
    /// A network with these ranks, an optimiser without state and an averager for it.
    void rebuild(const LowRank& low_rank);
    void make_optimiser();
    void note_memory();

    TrainingSettings settings_;
    std::shared_ptr<const Dataset> dataset_;
    Candidate candidate_;
    ArchitectureSpec spec_;  ///< of the candidate; with final ranks once they are
    Communicator group_;
    torch::Device device_;
    int epochs_;
    std::shared_ptr<Network> network_;
    int adaptive_epochs_ = 0;
    bool ranks_open_ = false;
    std::unique_ptr<RankAdaptation> adaptation_;  ///< while ranks are open
    std::vector<torch::Tensor> parameters_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    std::optional<GradientAverager> averager_;
    std::vector<torch::Tensor> averages_;  ///< of parameters_; empty before the first step
    bool averages_in_use_ = false;         ///< they and the parameters have changed places
    Loader train_, validation_;
    Batch batch_;
    RegressionSums sums_;
    int epoch_ = 0;
    std::size_t step_ = 0;
    double held_bytes_ = 0;  ///< between steps; 0: not known yet
    double step_peak_ = 0, peak_bytes_ = 0, first_peak_ = 0;
    bool has_stepped_ = false;
};

}  // namespace edgeloop
