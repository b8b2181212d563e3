#include "edgeloop/training/trainer.hpp"

#include "device_choice.hpp"
#include "model/weights_file.hpp"
#include "phases.hpp"
#include "set_up.hpp"
#include "training_run.hpp"
#include "training_state.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/model/threads.hpp"

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// The training loop of one candidate over a group; each method is collective, and goes through the
/// guard with everything that can throw.
class TrainingLoop {
  public:
    TrainingLoop(const TrainingSettings& settings, std::shared_ptr<const Dataset>& dataset,
                 const Candidate& candidate, const Communicator& group, const CancelToken& token)
        : settings_(settings),
          dataset_(dataset),
          candidate_(candidate),
          group_(group),
          token_(token),
          guard_(group, token) {}

    Outcome run() {
        Outcome outcome;
        outcome.id = candidate_.id;
        const double start = steady_seconds();
        try {
            train_and_validate();
            outcome.metrics = metrics_;
            if (!progress_.ranks.empty()) outcome.record = record_of_ranks();
        } catch (const EarlyEnd& end) {
            outcome.status = end.status;
            outcome.reason = end.reason;
        }
        keep_files(outcome.status);
        for (const EpochRecord& record : progress_.curve)
            if (record.epoch > candidate_.trained_epochs) outcome.curve.push_back(record);
        outcome.seconds = steady_seconds() - start;
        return outcome;
    }

  private:
    void train_and_validate() {
        set_up();
        for (;;) {
            if (run_->adaptive_epochs() > 0 && progress_.epoch >= run_->adaptive_epochs())
                settle_ranks();
            if (judges_epochs() && progress_.validated < progress_.epoch) {
                judge_epoch();
                save_epoch();
            }
            if (progress_.epoch >= run_->epochs() || on_plateau()) break;
            train_epoch();
        }
        if (progress_.best_epoch > 0) {
            metrics_ = progress_.best_metrics;
        } else {
            validate();
            guard_.run(Phase::judge_epoch, [this] { metrics_ = metrics_of_epoch(); });
            if (progress_.epoch > candidate_.trained_epochs) newest_record().metrics = metrics_;
        }
        metrics_["train_epochs"] = progress_.epoch;
        metrics_["peak_training_mib"] =
            group_.all_reduce(run_->peak_bytes(), Reduction::max) / bytes_per_mib;
        if (!progress_.ranks.empty()) {
            metrics_["final_parameters"] = double(run_->counts().parameters);
            metrics_["shrink_change"] = progress_.shrink_change;
        }
        if (!settings_.save_every_epoch) return;
        guard_.run(Phase::write_files, [this] {
            if (leads() && !settings_.weights_dir.empty()) save_weights();
        });
    }

    void set_up() {
        run_ = set_up_training(settings_, dataset_, candidate_, group_, guard_);
        if (!settings_.state_dir.empty()) restore();
    }

    void build() { run_ = std::make_unique<TrainingRun>(settings_, dataset_, candidate_, group_); }

    /// Goes on from a saved state; the leader reads it for all.
    void restore() {
        std::string bytes;
        guard_.run(Phase::read_state, [&] {
            if (leads()) bytes = usable_state();
        });
        group_.broadcast(bytes, 0);
        if (bytes.empty()) return;
        guard_.run(Phase::take_state, [&] {
            if (!leads()) progress_ = run_->restore(bytes, "the leader's state").progress;
        });
        log::info("candidate {} goes on from epoch {} step {}", candidate_.id, progress_.epoch,
                  progress_.step);
        guard_.run(Phase::save_epoch, [this] {
            if (leads()) report_curve(false);
        });
    }

    /// The saved state, restored on this rank; empty when there is none that fits.
    std::string usable_state() {
        const std::string path = state_path();
        if (!std::filesystem::exists(path)) return {};
        try {
            std::string bytes = read_file(path);
            RestoredTraining restored = run_->restore(bytes, path);
            if (restored.progress.epoch <= run_->epochs()) {
                progress_ = std::move(restored.progress);
                best_weights_ = std::move(restored.best);
                return bytes;
            }
        } catch (const Error& error) {
            log::warning("candidate {} is trained anew: {}", candidate_.id, error.what());
        }
        build();
        return {};
    }

    void train_epoch() {
        if (run_->has_rounding() && progress_.epoch == run_->first_rounding_epoch() &&
            progress_.step == 0)
            calibrate(Phase::start_epoch);
        guard_.run(Phase::start_epoch, [this] {
            run_->start_epoch(progress_.epoch, progress_.step);
            if (progress_.step == 0) progress_.samples = progress_.loss_sum = 0;
        });
        for (; progress_.step < run_->train_steps(); ++progress_.step) train_step();
        ++progress_.epoch;
        progress_.step = 0;
        newest_record().metrics = training_metrics();
    }

    /// Of the epoch that has ended. States of earlier releases may lack it.
    EpochRecord& newest_record() {
        std::vector<EpochRecord>& curve = progress_.curve;
        if (curve.empty() || curve.back().epoch < progress_.epoch)
            curve.push_back({progress_.epoch, run_->last_rate(progress_.epoch - 1)});
        return curve.back();
    }

    /// Failures travel with the gradients: what goes wrong in updating the weights, with those of
    /// the next step or with the guard's next agreement.
    void train_step() {
        const std::string place = fmt::format("epoch {} step {}", progress_.epoch, progress_.step);
        StepTotals own;
        guard_.attempt(Phase::train_step, place, [&] {
            own.cancelled = token_.requested() ? 1 : 0;
            run_->compute_gradients(own);
        });
        own.failed = guard_.failure() ? 1 : 0;
        const StepTotals totals = run_->exchange_gradients(own);
        if (totals.failed > 0) guard_.leave();
        if (totals.cancelled > 0) cancelled(fmt::format("in epoch {}", progress_.epoch));
        if (!std::isfinite(totals.loss_sum))
            throw EarlyEnd{Status::failed, "the loss is not finite in " + place};
        guard_.attempt(Phase::update_weights, place, [&] { run_->update_weights(totals); });
        progress_.samples += totals.samples;
        progress_.loss_sum += totals.loss_sum;
    }

    /// Makes cores smaller, and says what that changed. What was best before was another network.
    /// A stop in between waits: a state has the change with the ranks.
    void settle_ranks() {
        const auto rmse = [this](bool may_stop) {
            validate(may_stop);
            double value = 0;
            guard_.run(Phase::judge_epoch,
                       [&] { value = run_->validation_sums().metrics().at("val_rmse"); });
            return value;
        };
        const double before = rmse(true);
        const std::int64_t parameters = run_->counts().parameters;
        choose_ranks();
        const double after = rmse(false);
        progress_.shrink_change = before > 0 ? (after - before) / before : 0;
        progress_.forget_best();
        best_weights_.clear();
        log::info("candidate {}: ranks are final, {} of {} parameters, val_rmse {:.5g} to {:.5g}",
                  candidate_.id, run_->counts().parameters, parameters, before, after);
    }

    /// The leader makes the smaller network, and all others take it over.
    void choose_ranks() {
        std::string bytes;
        guard_.run(Phase::settle_ranks, [&] {
            if (!leads()) return;
            progress_.ranks = run_->settle_ranks();
            if (group_.size() > 1) bytes = run_->save(progress_, {});
        });
        group_.broadcast(bytes, 0);
        guard_.run(Phase::settle_ranks, [&] {
            if (!leads())
                progress_.ranks = run_->restore(bytes, "the leader's state").progress.ranks;
        });
    }

    [[nodiscard]] std::string record_of_ranks() const {
        return Json{{"ranks", run_->final_ranks()}}.dump();
    }

    [[noreturn]] static void cancelled(const std::string& where) {
        throw EarlyEnd{Status::cancelled, "cancelled " + where};
    }

    /// Gives quantised layers the steps that their weights and the training clips ask for.
    void calibrate(Phase phase) {
        guard_.run(phase, [this] { run_->observe_activations(); });
        std::vector<double> sums = run_->observed_activations();
        group_.all_reduce(sums.data(), sums.size(), Reduction::sum);
        guard_.run(phase, [&] { run_->start_rounding(sums); });
    }

    /// A network that is still trained in float32 is validated with the steps that it would begin
    /// with.
    void validate(bool may_stop = true) {
        if (run_->has_rounding() && progress_.epoch <= run_->first_rounding_epoch())
            calibrate(Phase::start_validation);
        guard_.run(Phase::start_validation, [this] { run_->start_validation(); });
        for (std::size_t step = 0; step < run_->validation_steps(); ++step) {
            bool asked = false;
            guard_.attempt(Phase::validation_step, fmt::format("step {}", step), [&] {
                asked = token_.requested();
                run_->validation_step();
            });
            if (guard_.agree(asked) && may_stop) cancelled("in validation");
        }
        auto& sums = run_->validation_sums().values;
        group_.all_reduce(sums.data(), sums.size(), Reduction::sum);
        for (const double sum : sums)
            if (!std::isfinite(sum)) throw EarlyEnd{Status::failed, "predictions are not finite"};
    }

    /// Validates the epoch that has ended, and the average of the weights if there is one, and
    /// notes whether the better of the two is the best so far.
    void judge_epoch() {
        validate();
        Metrics metrics;
        guard_.run(Phase::judge_epoch, [&] { metrics = metrics_of_epoch(); });
        EpochRecord& record = newest_record();
        record.metrics = metrics;
        if (settings_.average_decay > 0) {
            guard_.run(Phase::start_validation, [this] { run_->use_average(true); });
            validate();
            guard_.run(Phase::judge_epoch, [&] {
                Metrics averaged = metrics_of_epoch();
                record.averaged_rmse = averaged.at("val_rmse");
                const bool wins = record.averaged_rmse < metrics.at("val_rmse");
                if (wins) metrics = std::move(averaged);
                run_->use_average(wins);
            });
        }
        const bool best = note(std::move(metrics));
        guard_.run(Phase::keep_best, [&] {
            if (best && leads()) best_weights_ = run_->given_weights();
            run_->use_average(false);
        });
    }

    /// Leaves the epoch behind where a killed training finds it, and reports it.
    void save_epoch() {
        guard_.run(Phase::save_epoch, [this] {
            if (!leads()) return;
            if (settings_.save_every_epoch && !settings_.state_dir.empty()) write_state();
            report_curve(true);
        });
    }

    void report_curve(bool trained) const {
        if (!settings_.on_epoch) return;
        std::vector<EpochRecord> validated = progress_.curve;
        while (!validated.empty() && validated.back().epoch > progress_.validated)
            validated.pop_back();
        settings_.on_epoch(validated, trained);
    }

    /// Whether this epoch is the best so far.
    bool note(Metrics metrics) {
        const double rmse = metrics.at("val_rmse");
        const bool fell = progress_.plateau_rmse < 0 || rmse < 0.99 * progress_.plateau_rmse;
        if (fell) progress_.plateau_rmse = rmse;
        progress_.epochs_on_plateau = fell ? 0 : progress_.epochs_on_plateau + 1;
        progress_.validated = progress_.epoch;
        if (progress_.best_epoch > 0 && rmse >= progress_.best_metrics.at("val_rmse")) return false;
        progress_.best_epoch = progress_.epoch;
        progress_.best_metrics = std::move(metrics);
        progress_.best_metrics["best_epoch"] = progress_.epoch;
        return true;
    }

    [[nodiscard]] Metrics metrics_of_epoch() const {
        Metrics metrics = run_->validation_sums().metrics();
        for (const auto& [name, value] : training_metrics()) metrics[name] = value;
        return metrics;
    }
    [[nodiscard]] Metrics training_metrics() const {
        if (progress_.samples <= 0) return {};
        return {{"train_loss", progress_.loss_sum / progress_.samples}};
    }

    [[nodiscard]] bool judges_epochs() const {
        return settings_.patience_epochs > 0 || settings_.keep_best_epoch;
    }
    [[nodiscard]] bool on_plateau() const {
        return settings_.patience_epochs > 0 && run_->adaptive_epochs() == 0 &&
               progress_.epochs_on_plateau >= settings_.patience_epochs;
    }
    [[nodiscard]] std::string state_path() const {
        return fmt::format("{}/{}.state", settings_.state_dir, candidate_.id);
    }
    [[nodiscard]] bool leads() const { return group_.rank() == 0; }

    /// Saves or deletes this candidate's state, and saves its weights. A result is a result also
    /// when its files cannot be written, so nobody waits for this; where every epoch is saved the
    /// files are the result, and have been written.
    void keep_files(Status end) {
        if (settings_.save_every_epoch && end == Status::completed) return;
        PhaseGuard alone(group_, token_);
        alone.attempt(Phase::write_files, {}, [&] {
            if (!leads()) return;
            if (!settings_.state_dir.empty()) keep_state(end);
            if (end == Status::completed && !settings_.weights_dir.empty()) save_weights();
        });
        if (alone.failure()) log::error("candidate {}: {}", candidate_.id, alone.failure()->reason);
    }

    /// An earlier rung's state stays when this one fell to a fault that may not be the candidate's.
    void keep_state(Status end) {
        const bool stopped = end == Status::cancelled && token_.will_resume();
        const bool goes_on = end == Status::completed && candidate_.keep_state;
        if (run_ && (stopped || goes_on)) {
            write_state();
        } else if (end == Status::completed || end == Status::cancelled) {
            std::error_code ignored;
            std::filesystem::remove(state_path(), ignored);
        }
    }

    void write_state() {
        make_inner_folder(settings_.state_dir, settings_.access);
        write_file_atomic(state_path(), run_->save(progress_, best_weights_), Durability::power_cut,
                          settings_.access);
    }

    void save_weights() const {
        make_inner_folder(settings_.weights_dir, settings_.access);
        write_file_atomic(
            fmt::format("{}/{}.safetensors", settings_.weights_dir, candidate_.id),
            encode_weights(best_weights_.empty() ? run_->given_weights() : best_weights_),
            Durability::process_crash, settings_.access);
    }

    const TrainingSettings& settings_;
    std::shared_ptr<const Dataset>& dataset_;
    const Candidate& candidate_;
    const Communicator& group_;
    const CancelToken& token_;
    PhaseGuard guard_;
    std::unique_ptr<TrainingRun> run_;
    TrainingProgress progress_;
    Weights best_weights_;  ///< on the leader, after progress_.best_epoch
    Metrics metrics_;
};

}  // namespace

Trainer::Trainer(TrainingSettings settings)
    : settings_(std::move(settings)), dataset_(settings_.dataset) {
    // From here on the same for every candidate: a device that is lost later is an error, not a
    // change to the CPU.
    settings_.device = checked_device(settings_).is_cuda() ? Device::cuda : Device::cpu;
}

Outcome Trainer::train(const Candidate& candidate, const Communicator& group,
                       const CancelToken& token) const {
    set_compute_threads(settings_.threads);
    return TrainingLoop(settings_, dataset_, candidate, group, token).run();
}

}  // namespace edgeloop
