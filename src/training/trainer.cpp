#include "edgeloop/training/trainer.hpp"

#include "failure.hpp"
#include "training_run.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include <ATen/Parallel.h>
#include <fmt/format.h>

namespace edgeloop {
namespace {

/// An end of training before the last step, the same on all ranks.
struct EarlyEnd {
    Status status = Status::failed;
    std::string reason;
};

/// Loss and samples of one epoch, over all ranks.
struct EpochTotals {
    double samples = 0;
    double loss_sum = 0;
};

/// The course of one candidate over a group; each method is collective.
class Course {
  public:
    Course(const TrainingSettings& settings, const Candidate& candidate, const Communicator& group,
           const CancelToken& token)
        : settings_(settings), candidate_(candidate), group_(group), token_(token) {}

    Outcome run() {
        Outcome outcome;
        outcome.id = candidate_.id;
        const double start = steady_seconds();
        std::optional<EarlyEnd> end = set_up();
        for (int epoch = 0; !end && epoch < run_->epochs(); ++epoch) end = train_epoch(epoch);
        if (!end) end = validate();
        outcome.seconds = steady_seconds() - start;
        if (end) {
            outcome.status = end->status;
            outcome.reason = end->reason;
        } else {
            outcome.metrics = metrics();
        }
        return outcome;
    }

  private:
    std::optional<EarlyEnd> set_up() {
        const std::optional<Failure> failure = agree_on_failure(
            group_, attempt([this] {
                token_.at("building the network");
                run_ = std::make_unique<TrainingRun>(settings_, candidate_, group_);
            }));
        if (failure) return EarlyEnd{failure->status, failure->reason};
        const std::string steps =
            fmt::format("{} {}", run_->train_steps(), run_->validation_steps());
        if (!group_.is_same_on_all_ranks(steps))
            throw LogicError("ranks of a group disagree on the number of steps");
        run_->share_weights();
        return std::nullopt;
    }

    std::optional<EarlyEnd> train_epoch(int epoch) {
        last_epoch_ = {};
        run_->start_epoch(epoch);
        for (std::size_t step = 0; step < run_->train_steps(); ++step) {
            const StepTotals totals = run_->step(
                [&] { return cancelled_at(fmt::format("epoch {} step {}", epoch, step)); });
            if (auto end = check(totals, epoch, step)) return end;
            last_epoch_.samples += totals.samples;
            last_epoch_.loss_sum += totals.loss_sum;
        }
        return std::nullopt;
    }

    std::optional<EarlyEnd> check(const StepTotals& totals, int epoch, std::size_t step) {
        if (totals.failed > 0) {
            const std::optional<Failure> failure = agree_on_failure(group_, run_->failure());
            return EarlyEnd{failure->status, failure->reason};
        }
        if (totals.cancelled > 0) return cancelled(fmt::format("in epoch {}", epoch));
        if (!std::isfinite(totals.loss_sum))
            return EarlyEnd{Status::failed,
                            fmt::format("the loss is not finite in epoch {} step {}", epoch, step)};
        return std::nullopt;
    }

    /// Tells where this rank is and asks whether it should end.
    [[nodiscard]] bool cancelled_at(const std::string& place) const {
        token_.at(place);
        return token_.requested();
    }

    static EarlyEnd cancelled(const std::string& where) {
        return {Status::cancelled, "cancelled " + where};
    }

    std::optional<EarlyEnd> validate() {
        run_->start_validation();
        for (std::size_t step = 0; step < run_->validation_steps(); ++step) {
            if (auto end = validation_step(step)) return end;
        }
        auto& sums = run_->validation_sums().values;
        group_.all_reduce(sums.data(), sums.size(), Reduction::sum);
        for (const double sum : sums)
            if (!std::isfinite(sum)) return EarlyEnd{Status::failed, "predictions are not finite"};
        return std::nullopt;
    }

    std::optional<EarlyEnd> validation_step(std::size_t step) {
        bool asked = false;
        const std::optional<Failure> own = attempt([&] {
            asked = cancelled_at(fmt::format("validation step {}", step));
            run_->validation_step();
        });
        double signs[2] = {own ? 1.0 : 0.0, asked ? 1.0 : 0.0};
        group_.all_reduce(signs, 2, Reduction::max);
        if (signs[0] > 0) {
            const std::optional<Failure> failure = agree_on_failure(group_, own);
            return EarlyEnd{failure->status, failure->reason};
        }
        if (signs[1] > 0) return cancelled("in validation");
        return std::nullopt;
    }

    [[nodiscard]] Metrics metrics() const {
        Metrics metrics = run_->validation_sums().metrics();
        if (last_epoch_.samples > 0)
            metrics["train_loss"] = last_epoch_.loss_sum / last_epoch_.samples;
        metrics["train_epochs"] = run_->epochs();
        return metrics;
    }

    const TrainingSettings& settings_;
    const Candidate& candidate_;
    const Communicator& group_;
    const CancelToken& token_;
    std::unique_ptr<TrainingRun> run_;
    EpochTotals last_epoch_;
};

}  // namespace

Trainer::Trainer(TrainingSettings settings) : settings_(std::move(settings)) {}

Outcome Trainer::train(const Candidate& candidate, const Communicator& group,
                       const CancelToken& token) const {
    at::set_num_threads(settings_.threads);
    return Course(settings_, candidate, group, token).run();
}

}  // namespace edgeloop
