#include "edgeloop/training/trainer.hpp"

#include "failure.hpp"
#include "model/weights_file.hpp"
#include "training_run.hpp"
#include "training_state.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/model/threads.hpp"

#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// An end of training before the last step, the same on all ranks.
struct EarlyEnd {
    Status status = Status::failed;
    std::string reason;
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
        const std::optional<EarlyEnd> end = whole_course();
        if (group_.rank() == 0) keep_files(end);
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
    std::optional<EarlyEnd> whole_course() {
        if (auto end = set_up()) return end;
        while (progress_.epoch < run_->epochs() && !on_plateau()) {
            if (auto end = train_epoch()) return end;
            if (settings_.patience_epochs == 0) continue;
            if (auto end = validate()) return end;
            note_validation();
        }
        // Watching for a plateau, the last epoch has been validated already.
        const bool validated = settings_.patience_epochs > 0 && trained_here_;
        return validated ? std::nullopt : validate();
    }

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
        if (!settings_.state_dir.empty()) restore();
        return std::nullopt;
    }

    /// Goes on from a saved state; the leader reads it for all.
    void restore() {
        std::string bytes = group_.rank() == 0 ? usable_state() : std::string();
        group_.broadcast(bytes, 0);
        if (bytes.empty()) return;
        if (group_.rank() != 0) progress_ = run_->restore(bytes, "the leader's state");
        log::info("candidate {} goes on from epoch {} step {}", candidate_.id, progress_.epoch,
                  progress_.step);
    }

    /// The saved state, restored on this rank; empty when there is none that fits.
    std::string usable_state() {
        const std::string path = training_state_path(settings_.state_dir, candidate_.id);
        if (!std::filesystem::exists(path)) return {};
        try {
            std::string bytes = read_file(path);
            progress_ = run_->restore(bytes, path);
            if (progress_.epoch <= run_->epochs()) return bytes;
        } catch (const Error& error) {
            log::warning("candidate {} is trained anew: {}", candidate_.id, error.what());
        }
        progress_ = {};
        run_ = std::make_unique<TrainingRun>(settings_, candidate_, group_);
        return {};
    }

    std::optional<EarlyEnd> train_epoch() {
        run_->start_epoch(progress_.epoch, progress_.step);
        if (progress_.step == 0) progress_.samples = progress_.loss_sum = 0;
        while (progress_.step < run_->train_steps()) {
            const StepTotals totals = run_->step([&] {
                return cancelled_at(
                    fmt::format("epoch {} step {}", progress_.epoch, progress_.step));
            });
            if (auto end = check(totals, progress_.epoch, progress_.step)) return end;
            progress_.samples += totals.samples;
            progress_.loss_sum += totals.loss_sum;
            ++progress_.step;
        }
        ++progress_.epoch;
        progress_.step = 0;
        trained_here_ = true;
        return std::nullopt;
    }

    void note_validation() {
        const double rmse = run_->validation_sums().metrics().at("val_rmse");
        const bool better = progress_.best_rmse < 0 || rmse < 0.99 * progress_.best_rmse;
        if (better) progress_.best_rmse = rmse;
        progress_.epochs_since_best = better ? 0 : progress_.epochs_since_best + 1;
    }

    [[nodiscard]] bool on_plateau() const {
        return settings_.patience_epochs > 0 &&
               progress_.epochs_since_best >= settings_.patience_epochs;
    }

    /// Saves or deletes this candidate's state, and saves its weights. A result is a result also
    /// when its files cannot be written.
    void keep_files(const std::optional<EarlyEnd>& end) {
        try {
            const bool stopped = end && end->status == Status::cancelled && token_.will_resume();
            if (!settings_.state_dir.empty() && (stopped || (!end && candidate_.keep_state))) {
                make_directories(settings_.state_dir);
                write_file_atomic(training_state_path(settings_.state_dir, candidate_.id),
                                  run_->save(progress_));
            } else if (!settings_.state_dir.empty()) {
                discard_training_state(settings_.state_dir, candidate_.id);
            }
            if (end || settings_.weights_dir.empty()) return;
            make_directories(settings_.weights_dir);
            write_file_atomic(
                fmt::format("{}/{}.safetensors", settings_.weights_dir, candidate_.id),
                encode_weights(run_->weights()), Durability::process_crash);
        } catch (const Error& error) {
            log::error("candidate {}: {}", candidate_.id, error.what());
        }
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
        if (progress_.samples > 0) metrics["train_loss"] = progress_.loss_sum / progress_.samples;
        metrics["train_epochs"] = progress_.epoch;
        return metrics;
    }

    const TrainingSettings& settings_;
    const Candidate& candidate_;
    const Communicator& group_;
    const CancelToken& token_;
    std::unique_ptr<TrainingRun> run_;
    TrainingProgress progress_;
    bool trained_here_ = false;
};

}  // namespace

Trainer::Trainer(TrainingSettings settings) : settings_(std::move(settings)) {
    const torch::Device device = choose_device(settings_.device);
    if (settings_.mixed_precision && !device.is_cuda())
        throw ConfigError("mixed precision needs a CUDA device", {}, "drop --mixed-precision");
}

void discard_training_state(const std::string& state_dir, CandidateId id) {
    std::error_code ignored;
    std::filesystem::remove(training_state_path(state_dir, id), ignored);
}

Outcome Trainer::train(const Candidate& candidate, const Communicator& group,
                       const CancelToken& token) const {
    set_compute_threads(settings_.threads);
    return Course(settings_, candidate, group, token).run();
}

}  // namespace edgeloop
