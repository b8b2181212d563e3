#include "edgeloop/search/coordinator.hpp"

#include "search/device_classes.hpp"
#include "search/failure_watch.hpp"
#include "search/forecast.hpp"
#include "search/housekeeping.hpp"
#include "search/parts.hpp"
#include "search/replay.hpp"
#include "search/scouts.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// The loop of run_search() and what it keeps between two turns.
class Coordinator {
  public:
    Coordinator(Engine& engine, Evaluator& evaluator, const Probes& probes, RunStore& store,
                const SearchOptions& options)
        : engine_(engine),
          evaluator_(evaluator),
          devices_(probes),
          store_(store),
          options_(options) {}

    SearchResult run() {
        if (replay(store_, engine_, active_)) resume();
        while (!engine_.finished()) {
            turned_ = false;
            // Results first: an engine without generations proposes by what it has been told.
            collect();
            stop_if_asked();  // before anything new is begun
            ask_and_submit();
            if (turned_) store_.commit();
            if (housekeeping_.save_is_due()) housekeeping_.save(active_);
            if (housekeeping_.report_is_due()) (void)report("running");
            turned_ || engine_.finished() ? clock_.busy() : clock_.idle();
        }
        return finish();
    }

  private:
    void resume() {
        for (const ArchiveMember& member : engine_.state().archive.members())
            forecast_.learn(member.completed.candidate, member.completed.training_seconds);
        housekeeping_.resumed();
        engine_.forget_scouted();  // what measures now may be another device
        store_.record(Note{resumed_run, 0, fmt::format("{} candidates in flight", active_.size())});
        for (auto next = active_.begin(); next != active_.end();)
            take_up((next++)->second);  // which may end it
        store_.commit();
    }

    [[nodiscard]] Active* find(CandidateId id) {
        const auto found = active_.find(id);
        return found != active_.end() ? &found->second : nullptr;
    }

    // --- proposing

    void ask_and_submit() {
        while (wants_more()) {
            std::optional<Candidate> candidate = engine_.ask();
            note_decisions();
            if (!candidate) break;
            turned_ = true;
            store_.record(Proposed{*candidate});
            Active& active = active_[candidate->id];
            active.kept.candidate = std::move(*candidate);
            take_up(active);
        }
        submit_unmeasured();
        start_training();
        if (scouts_.on() && !closing_ && devices_.suffice()) turned_ |= scouts_.send(active_);
    }

    [[nodiscard]] bool wants_more() const {
        if (closing_) return false;
        const std::size_t free = evaluator_.free_slots();
        return ready_.size() < free || ready_.size() - free < ask_ahead_;
    }

    void note_decisions() {
        for (const Decision& decision : engine_.take_decisions())
            store_.record(Note{std::move(decision.what), decision.id, std::move(decision.reason)});
    }

    /// Starts whatever this candidate still lacks.
    void take_up(Active& active) {
        take_earlier_results(active, rules_, engine_, options_, store_);
        judge(active);
        if (settle(active)) return;
        for (const std::string& device_class : rules_.classes())
            if (rules_.needs(active, {Part::measuring, device_class}))
                submit_measuring(active, device_class);
        if (active.verdict || !rules_.needs(active, Part::training)) return;
        if (active.kept.cut_off < options_.max_attempts)
            // In a generation the largest training comes first, so that no long one begins when the
            // others are about to end. Other engines learn in the order of training: theirs stays.
            ready_.emplace(any_order_ ? Forecast::work_of(active.kept.candidate) : 0,
                           active.kept.candidate.id);
        else
            give_up(active);
    }

    /// It may be what ends the process each time: a network that crashes LibTorch, say.
    void give_up(Active& active) {
        accept(active, Part::training,
               {active.kept.candidate.id,
                Status::lost,
                {},
                fmt::format("its training was begun {} times and cut off each time",
                            active.kept.cut_off)});
    }

    /// Later, while no device of the class delivers what is asked for.
    void submit_measuring(Active& active, const std::string& device_class) {
        if (!devices_.suffice(device_class))
            return unmeasured_[device_class].push_back(active.kept.candidate.id);
        active.measuring[device_class].under_way = true;
        devices_.of(device_class).submit(active.kept.candidate);
    }

    void submit_unmeasured() {
        for (auto& [device_class, waiting] : unmeasured_) {
            if (waiting.empty() || !devices_.suffice(device_class)) continue;
            turned_ = true;
            for (const CandidateId id : std::exchange(waiting, {}))
                if (Active* const active = find(id)) submit_measuring(*active, device_class);
        }
    }

    void start_training() {
        if (ready_.empty() || !devices_.suffice()) return;
        for (auto next = ready_.begin(); next != ready_.end() && evaluator_.free_slots() > 0;) {
            Active* const active = find(next->second);
            const bool wanted = active != nullptr && !active->training && !active->verdict &&
                                rules_.needs(*active, Part::training);
            if (wanted && !may_start(*active)) {
                ++next;
                continue;
            }
            next = ready_.erase(next);
            if (!wanted) continue;
            active->training = true;
            ++so_far_.running;
            turned_ = true;
            evaluator_.submit(active->kept.candidate);
            waiting_.push_back(active->kept.candidate.id);
        }
        note_begun();
    }

    bool may_start(const Active& active) {
        if (options_.measure_first && rules_.needs_measuring(active)) return false;
        const bool fits = forecast_.fits(active.kept.candidate, seconds_left());
        closing_ |= !fits;  // a smaller one may fit
        return fits;
    }

    /// What only waits for ranks has not begun: should the process end now, it was not what ended
    /// it.
    void note_begun() {
        for (const CandidateId id : std::exchange(waiting_, {})) {
            Active* const active = find(id);
            if (evaluator_.waits(id)) {
                waiting_.push_back(id);
            } else if (active != nullptr && active->training && !active->begun) {
                active->begun = true;
                ++active->kept.cut_off;
                store_.record(TrainingStarted{id});
                turned_ = true;
            }
        }
    }

    // --- results

    void collect() {
        for (Outcome& each : evaluator_.poll()) on_training(rules_.checked(std::move(each)));
        for (const auto& [name, probe] : devices_.probes())
            for (Outcome& outcome : probe->poll()) on_measured(name, std::move(outcome));
    }

    void on_training(Outcome outcome) {
        turned_ = true;
        Active* const found = find(outcome.id);
        if (found == nullptr || !found->training) return;
        Active& active = *found;
        active.training = active.begun = false;
        active.kept.cut_off = 0;
        --so_far_.running;
        so_far_.training_seconds += outcome.seconds;
        if (outcome.status == Status::completed)
            forecast_.learn(active.kept.candidate, outcome.seconds);
        if (outcome.status == Status::lost && try_again(active, outcome, retried_training))
            ready_.emplace(std::numeric_limits<double>::infinity(), outcome.id);
        else
            accept(active, Part::training, std::move(outcome));
    }

    void on_measured(const std::string& device_class, Outcome outcome) {
        turned_ = true;
        if (is_scout(outcome.id)) {
            so_far_.measuring_seconds += outcome.seconds;
            return scouts_.take(device_class, std::move(outcome));
        }
        Active* const found = find(outcome.id);
        if (found == nullptr || !found->measures_on(device_class)) return;
        Active& active = *found;
        Active::Measuring& measuring = active.measuring[device_class];
        measuring.under_way = false;
        so_far_.measuring_seconds += outcome.seconds;
        if ((outcome.status == Status::lost && try_again(active, outcome, "retried measuring")) ||
            measure_again(measuring, outcome) || waits_for_device(device_class, outcome)) {
            measuring.seconds += outcome.seconds;
            return submit_measuring(active, device_class);
        }
        outcome.seconds += measuring.seconds;
        if (options_.require_valid && outcome.status == Status::completed &&
            !measured_validly(outcome.metrics)) {
            outcome.status = Status::lost;
            outcome.reason = fmt::format("none of {} measurements was valid", measuring.again + 1);
        }
        active.verdict.reset();  // of what was known without it
        accept(active, {Part::measuring, device_class}, std::move(outcome));
    }

    /// Whether a measurement that cannot be believed is worth another, later and where possible on
    /// another device.
    bool measure_again(Active::Measuring& measuring, const Outcome& outcome) {
        if (outcome.status != Status::completed || measured_validly(outcome.metrics) ||
            measuring.again >= options_.measure_retries)
            return false;
        ++measuring.again;
        const std::string where = outcome.device.empty() ? "" : " on " + outcome.device;
        store_.record(Note{"measured again", outcome.id, "not valid" + where});
        return true;
    }

    /// Whether it was measured before its device was known to lack something.
    bool waits_for_device(const std::string& device_class, const Outcome& outcome) {
        return outcome.status == Status::completed && rules_.incomplete(outcome, device_class) &&
               !devices_.suffice(device_class);
    }

    /// Whether a lost part is worth another attempt.
    bool try_again(Active& active, const Outcome& outcome, const char* what) {
        if (++active.lost >= options_.max_attempts) return false;
        store_.record(Note{what, outcome.id, outcome.reason});
        return true;
    }

    void accept(Active& active, const Part& part, Outcome outcome) {
        add_part(active, part, std::move(outcome), store_);
        judge(active);
        (void)settle(active);
    }

    /// Looks for a reason to spare the rest of the training, once what is measured is known.
    void judge(Active& active) {
        if (active.verdict) return;
        active.verdict = rules_.early_end(active);
        if (!active.verdict || !active.training || active.cancelled) return;
        active.cancelled = true;
        store_.record(Note{"cancelled", active.kept.candidate.id, active.verdict->reason});
        evaluator_.cancel(active.kept.candidate.id);
    }

    /// Tells the engine when nothing more is needed.
    /// @return whether it was told; `active` is gone then.
    bool settle(Active& active) {
        std::optional<CompletedCandidate> completed = rules_.whole(active);
        if (completed) tell(active, std::move(*completed));
        return completed.has_value();
    }

    void tell(Active& active, CompletedCandidate completed) {
        const CandidateId id = active.kept.candidate.id;
        for (const auto& [device_class, measuring] : active.measuring)
            if (measuring.under_way) devices_.of(device_class).cancel(id);
        completed.candidate = std::move(active.kept.candidate);
        active_.erase(id);
        store_.record(Told{completed});
        failures_.note(completed.status, completed.reason);
        engine_.tell(completed);
        note_decisions();
        turned_ = true;
    }

    // --- reporting and stopping

    Progress report(const char* phase) {
        so_far_.link = devices_.link();
        if (const auto lacking = devices_.lacking()) so_far_.link->text = "waiting: " + *lacking;
        return housekeeping_.report(phase, so_far_);
    }

    /// Whether a candidate that waits for training is expected to end in time.
    [[nodiscard]] bool one_fits() {
        return std::any_of(ready_.begin(), ready_.end(), [this](const auto& each) {
            const Active* const active = find(each.second);
            return active != nullptr && forecast_.fits(active->kept.candidate, seconds_left());
        });
    }

    [[nodiscard]] double seconds_left() const {
        return housekeeping_.started() + options_.time_limit_seconds - clock_.now();
    }

    [[nodiscard]] std::optional<std::string> reason_to_stop() {
        if (options_.should_stop && options_.should_stop()) return "asked to stop";
        if (seconds_left() <= 0 || (closing_ && so_far_.running == 0 && !one_fits()))
            return "the time limit is reached";
        return options_.gave_up ? options_.gave_up() : std::nullopt;
    }

    void stop_if_asked() {
        const std::optional<std::string> why = reason_to_stop();
        std::optional<std::string> broken = why ? std::nullopt : failures_.diagnosis();
        if (!why && !broken && options_.broken) broken = options_.broken();
        if (!(why || broken) || engine_.finished()) return;
        store_.record(Note{"stopped", 0, why ? *why : *broken});
        scouts_.forget();
        for (auto& [id, active] : active_)
            if (active.begun) --active.kept.cut_off;
        housekeeping_.save(active_);
        const Progress progress = report("stopped");
        if (broken)
            throw IoError("the search has stopped: " + *broken,
                          "the rest of its budget would go the same way",
                          "mend the cause, then run the same command with --resume to go on");
        throw Stopped("stopped after " + reached(progress), *why,
                      "run the same command with --resume to go on");
    }

    SearchResult finish() {
        scouts_.forget();
        store_.commit();
        housekeeping_.save(active_);
        return {report("finished"), reported_front(engine_)};
    }

    Engine& engine_;
    Evaluator& evaluator_;
    DeviceClasses devices_;
    RunStore& store_;
    const SearchOptions& options_;
    SystemClock system_clock_;
    SearchClock& clock_{options_.clock ? *options_.clock : system_clock_};
    /// In which a generation trains: its result is the same.
    const bool any_order_{engine_.settings().kind == EngineKind::generational};
    const std::size_t ask_ahead_{
        options_.ask_ahead.value_or(any_order_ ? std::numeric_limits<std::size_t>::max() : 0)};
    const PartRules rules_{engine_, options_, devices_.names()};
    Scouts scouts_{engine_, devices_, store_, rules_, options_.measure_ahead};
    Housekeeping housekeeping_{engine_, store_, options_, clock_};

    ActiveCandidates active_;
    /// Waiting for a free slot to train; the key decides who goes first.
    std::multimap<double, CandidateId, std::greater<>> ready_;
    /// By class: no device of it delivers what they need.
    std::map<std::string, std::vector<CandidateId>> unmeasured_;
    std::vector<CandidateId> waiting_;  ///< submitted, and not known to have begun
    Forecast forecast_;
    FailureWatch failures_;
    Progress so_far_;       ///< candidates that train now, and what all cost
    bool turned_ = false;   ///< something happened in this turn of the loop
    bool closing_ = false;  ///< the next candidate would not finish in time
};

}  // namespace

SearchResult run_search(Engine& engine, Evaluator& evaluator, const Probes& probes, RunStore& store,
                        const SearchOptions& options) {
    return Coordinator(engine, evaluator, probes, store, options).run();
}

SearchResult run_search(Engine& engine, Evaluator& evaluator, LatencyProbe* probe, RunStore& store,
                        const SearchOptions& options) {
    const Probes probes = probe == nullptr ? Probes() : Probes{{"", probe}};
    return run_search(engine, evaluator, probes, store, options);
}

}  // namespace edgeloop
