#include "edgeloop/search/coordinator.hpp"

#include "search/failure_watch.hpp"
#include "search/forecast.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double housekeeping_share = 0.01;  // of the time, at most, for snapshots and tables
constexpr const char* retried_training = "retried training";

bool ends_part(const std::optional<Outcome>& part) { return part && part->status != Status::lost; }

bool failed(const std::optional<Outcome>& part) {
    return part && part->status != Status::completed;
}

/// What is missing in a measurement, or nothing.
std::optional<std::string> incomplete(const Outcome& measured,
                                      const std::vector<std::string>& wanted) {
    for (const std::string& name : wanted)
        if (measured.metrics.count(name) == 0)
            return fmt::format("{} delivered no {}",
                               measured.device.empty() ? "the device" : measured.device, name);
    return std::nullopt;
}

void merge(Metrics& into, const Metrics& from) {
    for (const auto& [name, value] : from) into[name] = value;
}

/// When something periodic is due: every `interval`, but so rarely that it takes no more than its
/// share of the time.
class Cadence {
  public:
    explicit Cadence(double interval) : interval_(interval) {}

    [[nodiscard]] bool due(double now) const { return now >= next_; }
    void done(double started, double now) {
        next_ = now + std::max(interval_, (now - started) / housekeeping_share);
    }

  private:
    double interval_;
    double next_ = 0;
};

/// The loop of run_search() and what it keeps between two turns.
class Coordinator {
  public:
    Coordinator(Engine& engine, Evaluator& evaluator, LatencyProbe* probe, RunStore& store,
                const SearchOptions& options)
        : engine_(engine),
          evaluator_(evaluator),
          probe_(probe),
          store_(store),
          options_(options),
          clock_(options.clock ? *options.clock : system_clock_),
          ask_ahead_(options.ask_ahead.value_or(default_ask_ahead())),
          snapshots_(options.snapshot_seconds),
          statuses_(options.status_seconds),
          tables_(options.table_seconds) {}

    SearchResult run() {
        started_ = clock_.now();
        resume();
        while (!engine_.finished()) {
            turned_ = false;
            ask_and_submit();
            collect();
            if (turned_) store_.commit();
            housekeeping();
            stop_if_asked();
            turned_ ? clock_.busy() : clock_.idle();
        }
        return finish();
    }

  private:
    /// A candidate in flight, with what only this process knows about it.
    struct Active {
        InFlight kept;
        bool training = false, measuring = false;  ///< submitted and not back yet
        bool begun = false;                        ///< its training, which it may have to wait for
        bool cancelled = false;                    ///< its training was asked to stop
        int lost = 0;                              ///< how often a part of it was lost
        int measured_again = 0;                    ///< because it was not valid
        double measured_seconds = 0;               ///< of the measurements that were not the last
        std::optional<Verdict> verdict;
    };

    [[nodiscard]] std::size_t default_ask_ahead() const {
        const bool any = engine_.settings().kind == EngineKind::generational;
        return any ? std::numeric_limits<std::size_t>::max() : 0;
    }

    // --- resuming

    void resume() {
        std::optional<Recovery> recovery = store_.recover();
        if (!recovery) return;
        if (recovery->snapshot) {
            engine_.restore(std::move(recovery->snapshot->engine));
            for (auto& [id, kept] : recovery->snapshot->in_flight)
                active_[id].kept = std::move(kept);
        }
        for (const Event& event : recovery->events)
            std::visit([this](const auto& each) { replay(each); }, event);
        for (const ArchiveMember& member : engine_.state().archive.members())
            forecast_.learn(member.completed.candidate, member.completed.training_seconds);
        done_before_ = engine_.state().done;
        take_up_in_flight();
    }

    void take_up_in_flight() {
        std::vector<CandidateId> ids;
        for (const auto& each : active_) ids.push_back(each.first);
        std::sort(ids.begin(), ids.end());
        store_.record(Note{"resumed", 0, fmt::format("{} candidates in flight", ids.size())});
        for (const CandidateId id : ids) take_up(active_.at(id));
        store_.commit();
        if (options_.tidy) kept_bytes_ = options_.tidy(engine_.state());
    }

    void replay(const Proposed& event) {
        const std::optional<Candidate> asked = engine_.ask();
        (void)engine_.take_decisions();
        if (!asked || asked->id != event.candidate.id || asked->rung != event.candidate.rung ||
            asked->genome != event.candidate.genome)
            throw CorruptState(
                fmt::format("the journal proposes candidate {} and the engine does not",
                            event.candidate.id),
                "the journal belongs to another configuration or another version of edgeloop",
                "resume with the program and the configuration that started the run");
        active_[asked->id].kept.candidate = *asked;
    }

    void replay(const TrainingStarted& event) {
        const auto found = active_.find(event.id);
        if (found != active_.end()) ++found->second.kept.cut_off;
    }

    void replay(const PartDone& event) {
        const auto found = active_.find(event.outcome.id);
        if (found == active_.end()) return;
        part_of(found->second, event.part) = event.outcome;
        if (event.part == Part::training) found->second.kept.cut_off = 0;
    }

    void replay(const Told& event) {
        const CandidateId id = event.completed.candidate.id;
        if (active_.erase(id) == 0)
            throw CorruptState(fmt::format("the journal ends candidate {} twice", id));
        engine_.tell(event.completed);
    }

    void replay(const Note& event) {
        const auto found = active_.find(event.id);
        if (event.what == retried_training && found != active_.end())
            found->second.kept.cut_off = 0;
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
    }

    [[nodiscard]] bool wants_more() const {
        if (closing_) return false;
        const std::size_t free = evaluator_.free_slots();
        return ready_.size() < free || ready_.size() - free < ask_ahead_;
    }

    void note_decisions() {
        for (Decision& decision : engine_.take_decisions())
            store_.record(Note{decision.promoted ? "promoted" : "kept on its rung", decision.id,
                               std::move(decision.reason)});
    }

    /// Starts whatever this candidate still lacks.
    void take_up(Active& active) {
        reuse(active);
        judge(active);
        if (settle(active)) return;
        if (needs_measuring(active)) submit_measuring(active);
        if (ends_part(active.kept.training)) return;
        if (active.kept.cut_off < options_.max_attempts)
            line_up(active.kept.candidate);
        else
            give_up(active);
    }

    /// It may be what ends the process each time: a network that crashes LibTorch, say.
    void give_up(Active& active) {
        Outcome outcome;
        outcome.id = active.kept.candidate.id;
        outcome.status = Status::lost;
        outcome.reason = fmt::format("its training was begun {} times and cut off each time",
                                     active.kept.cut_off);
        accept(active, Part::training, std::move(outcome));
    }

    /// In a generation the largest training comes first, so that no long one begins when the others
    /// are about to end. Other engines learn in the order of training: theirs stays.
    void line_up(const Candidate& candidate) {
        const bool any_order = engine_.settings().kind == EngineKind::generational;
        ready_.emplace(any_order ? Forecast::work_of(candidate) : 0, candidate.id);
    }

    void reuse(Active& active) {
        if (!options_.lookup) return;
        for (const Part part : {Part::training, Part::measuring}) {
            std::optional<Outcome>& slot = part_of(active, part);
            if (ends_part(slot) || (part == Part::measuring && !needs_measuring(active))) continue;
            std::optional<Outcome> earlier = options_.lookup(part, active.kept.candidate);
            if (!earlier || (part == Part::measuring && !usable(*earlier))) continue;
            earlier->id = active.kept.candidate.id;
            store_.record(Note{"reused", earlier->id, earlier->reason});
            earlier->reason.clear();
            slot = std::move(earlier);
            store_.record(PartDone{part, *slot});
        }
    }

    /// What is not valid or not complete this run measures itself.
    [[nodiscard]] bool usable(const Outcome& measured) const {
        return measured_validly(measured.metrics) && !incomplete(measured, options_.measured);
    }

    /// On a higher rung the latency is among what is known already.
    [[nodiscard]] bool needs_measuring(const Active& active) const {
        return probe_ && active.kept.candidate.rung == 0 && !ends_part(active.kept.measuring);
    }

    /// Later, while no device delivers what is asked for.
    void submit_measuring(Active& active) {
        if (!devices_suffice()) return unmeasured_.push_back(active.kept.candidate.id);
        active.measuring = true;
        probe_->submit(active.kept.candidate);
    }

    /// Whether the devices that are there can deliver what is asked for; says what they lack.
    [[nodiscard]] bool devices_suffice() {
        std::optional<std::string> lacks = probe_ ? probe_->lacks() : std::nullopt;
        if (lacks && lacks != lacking_)
            log::warning("no training begins: {}", *lacks);
        else if (!lacks && lacking_)
            log::info("a device delivers what this run asks for: training begins");
        lacking_ = std::move(lacks);
        return !lacking_;
    }

    void submit_unmeasured() {
        if (unmeasured_.empty() || !devices_suffice()) return;
        turned_ = true;
        for (const CandidateId id : std::exchange(unmeasured_, {})) {
            const auto found = active_.find(id);
            if (found != active_.end()) submit_measuring(found->second);
        }
    }

    void start_training() {
        if (ready_.empty() || !devices_suffice()) return;
        for (auto next = ready_.begin(); next != ready_.end() && evaluator_.free_slots() > 0;) {
            const auto found = active_.find(next->second);
            if (found == active_.end() || found->second.training ||
                ends_part(found->second.kept.training)) {
                next = ready_.erase(next);
                continue;
            }
            Active& active = found->second;
            if (options_.measure_first && needs_measuring(active)) {
                ++next;
                continue;
            }
            if (!forecast_.fits(active.kept.candidate, seconds_left())) {
                closing_ = true;
                ++next;  // a smaller one may fit
                continue;
            }
            next = ready_.erase(next);
            active.training = true;
            ++training_;
            turned_ = true;
            evaluator_.submit(active.kept.candidate);
            waiting_.push_back(active.kept.candidate.id);
        }
        note_begun();
    }

    /// What only waits for ranks has not begun: should the process end now, it was not what ended
    /// it.
    void note_begun() {
        const auto begins = [this](CandidateId id) {
            if (evaluator_.waits(id)) return false;
            const auto found = active_.find(id);
            if (found == active_.end() || !found->second.training || found->second.begun)
                return true;
            found->second.begun = true;
            ++found->second.kept.cut_off;
            store_.record(TrainingStarted{id});
            turned_ = true;
            return true;
        };
        waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), begins), waiting_.end());
    }

    // --- results

    void collect() {
        for (Outcome& outcome : evaluator_.poll()) on_training(std::move(outcome));
        if (!probe_) return;
        for (Outcome& outcome : probe_->poll()) on_measured(std::move(outcome));
    }

    void on_training(Outcome outcome) {
        turned_ = true;
        const auto found = active_.find(outcome.id);
        if (found == active_.end() || !found->second.training) return;
        Active& active = found->second;
        active.training = active.begun = false;
        active.kept.cut_off = 0;
        --training_;
        training_seconds_ += outcome.seconds;
        if (outcome.status == Status::completed)
            forecast_.learn(active.kept.candidate, outcome.seconds);
        if (outcome.status == Status::lost && try_again(active, outcome, retried_training))
            ready_.emplace(std::numeric_limits<double>::infinity(), outcome.id);
        else
            accept(active, Part::training, std::move(outcome));
    }

    void on_measured(Outcome outcome) {
        turned_ = true;
        const auto found = active_.find(outcome.id);
        if (found == active_.end() || !found->second.measuring) return;
        Active& active = found->second;
        active.measuring = false;
        measuring_seconds_ += outcome.seconds;
        if ((outcome.status == Status::lost && try_again(active, outcome, "retried measuring")) ||
            measure_again(active, outcome) || waits_for_device(outcome)) {
            active.measured_seconds += outcome.seconds;
            return submit_measuring(active);
        }
        outcome.seconds += active.measured_seconds;
        check_validity(outcome, active.measured_again);
        accept(active, Part::measuring, std::move(outcome));
    }

    /// Whether a measurement that cannot be believed is worth another, later and where possible on
    /// another device.
    bool measure_again(Active& active, const Outcome& outcome) {
        if (outcome.status != Status::completed || measured_validly(outcome.metrics) ||
            active.measured_again >= options_.measure_retries)
            return false;
        ++active.measured_again;
        const std::string where = outcome.device.empty() ? "" : " on " + outcome.device;
        store_.record(Note{"measured again", outcome.id, "not valid" + where});
        return true;
    }

    /// Whether it was measured before its device was known to lack something.
    bool waits_for_device(const Outcome& outcome) {
        return outcome.status == Status::completed && incomplete(outcome, options_.measured) &&
               !devices_suffice();
    }

    void check_validity(Outcome& outcome, int repeated) const {
        if (!options_.require_valid || outcome.status != Status::completed ||
            measured_validly(outcome.metrics))
            return;
        outcome.status = Status::lost;
        outcome.reason = fmt::format("none of {} measurements was valid", repeated + 1);
    }

    /// Whether a lost part is worth another attempt.
    bool try_again(Active& active, const Outcome& outcome, const char* what) {
        if (++active.lost >= options_.max_attempts) return false;
        store_.record(Note{what, outcome.id, outcome.reason});
        return true;
    }

    void accept(Active& active, Part part, Outcome outcome) {
        std::optional<Outcome>& slot = part_of(active, part);
        slot = std::move(outcome);
        store_.record(PartDone{part, *slot});
        judge(active);
        (void)settle(active);
    }

    /// Looks for a reason to spare the rest of the training, once what is measured is known.
    void judge(Active& active) {
        if (active.verdict) return;
        active.verdict = early_end(active);
        if (!active.verdict || !active.training || active.cancelled) return;
        active.cancelled = true;
        store_.record(Note{"cancelled", active.kept.candidate.id, active.verdict->reason});
        evaluator_.cancel(active.kept.candidate.id);
    }

    [[nodiscard]] std::optional<Verdict> early_end(const Active& active) const {
        const std::optional<Outcome>& measuring = active.kept.measuring;
        if (failed(measuring)) return Verdict{measuring->status, measuring->reason};
        if (measuring)
            if (auto missing = incomplete(*measuring, options_.measured))
                return Verdict{Status::failed, std::move(*missing)};
        return engine_.verdict(active.kept.candidate, settled(active));
    }

    [[nodiscard]] static Metrics settled(const Active& active) {
        Metrics metrics = active.kept.candidate.known;
        if (active.kept.measuring) merge(metrics, active.kept.measuring->metrics);
        return metrics;
    }

    /// Tells the engine when nothing more is needed. The order in which the parts arrived makes no
    /// difference: a verdict on the measured part outweighs whatever the training part said.
    /// @return whether it was told; `active` is gone then.
    bool settle(Active& active) {
        if (active.training) return false;
        CompletedCandidate completed;
        completed.settled = settled(active);
        completed.metrics = completed.settled;
        if (active.verdict) {
            completed.status = active.verdict->status;
            completed.reason = active.verdict->reason;
        } else if (!needs_measuring(active) && ends_training(active)) {
            judge_whole(active, completed);
        } else {
            return false;
        }
        tell(active, std::move(completed));
        return true;
    }

    [[nodiscard]] bool ends_training(const Active& active) const {
        return active.kept.training.has_value();
    }

    void judge_whole(const Active& active, CompletedCandidate& completed) const {
        const Outcome& training = *active.kept.training;
        completed.status = training.status;
        completed.reason = training.reason;
        if (training.status != Status::completed) return;
        merge(completed.metrics, training.metrics);
        const Goals& goals = engine_.settings().goals;
        if (auto why = goals.incomplete(completed.metrics)) {
            completed.status = Status::failed;
            completed.reason = std::move(*why);
        } else if (auto broken = goals.broken(completed.metrics)) {
            completed.status = Status::infeasible;
            completed.reason = std::move(*broken);
        }
    }

    void tell(Active& active, CompletedCandidate completed) {
        const CandidateId id = active.kept.candidate.id;
        if (active.kept.training) completed.training_seconds = active.kept.training->seconds;
        if (active.kept.measuring) completed.measuring_seconds = active.kept.measuring->seconds;
        if (active.measuring) probe_->cancel(id);
        completed.candidate = std::move(active.kept.candidate);
        active_.erase(id);
        store_.record(Told{completed});
        failures_.note(completed.status, completed.reason);
        engine_.tell(completed);
        note_decisions();
        turned_ = true;
    }

    static std::optional<Outcome>& part_of(Active& active, Part part) {
        return part == Part::training ? active.kept.training : active.kept.measuring;
    }

    // --- keeping and reporting

    void housekeeping() {
        const double now = clock_.now();
        if (snapshots_.due(now) && engine_.state().told != saved_told_) save();
        if (statuses_.due(now)) (void)report("running", now);
    }

    void save() {
        const double before = clock_.now();
        std::map<CandidateId, InFlight> in_flight;
        for (const auto& [id, active] : active_) in_flight.emplace(id, active.kept);
        store_.snapshot(engine_.state(), in_flight);
        saved_told_ = engine_.state().told;
        if (options_.tidy) kept_bytes_ = options_.tidy(engine_.state());
        snapshots_.done(before, clock_.now());
    }

    Progress report(const char* phase, double now) {
        const bool tables = tables_.due(now) || std::string(phase) != "running";
        const Progress progress = measure_progress(phase, now);
        store_.publish(progress, engine_.state().archive.sorted(), tables);
        if (options_.on_progress) options_.on_progress(progress);
        const double after = clock_.now();
        statuses_.done(now, after);
        if (tables) tables_.done(now, after);
        return progress;
    }

    [[nodiscard]] Progress measure_progress(const char* phase, double now) const {
        const EngineState& state = engine_.state();
        const std::vector<std::vector<double>> points = state.archive.points();
        Progress progress;
        progress.phase = phase;
        progress.done = state.done;
        progress.total = engine_.settings().evaluations;
        progress.running = training_;
        progress.by_status = state.by_status;
        progress.generation = state.generation;
        progress.front = points.size();
        for (const ArchiveMember& member : state.archive.members())
            progress.front_not_valid += measured_validly(member.completed.metrics) ? 0 : 1;
        progress.reference = state.reference;
        if (!state.reference.empty() && state.reference.size() > 1)
            progress.hypervolume = hypervolume(points, state.reference);
        const std::vector<std::string>& names = engine_.settings().goals.objectives;
        for (std::size_t i = 0; i < names.size() && !points.empty(); ++i) {
            double& best = progress.best[names[i]] = points.front()[i];
            for (const auto& point : points) best = std::min(best, point[i]);
        }
        progress.elapsed_seconds = now - started_;
        progress.training_seconds = training_seconds_;
        progress.measuring_seconds = measuring_seconds_;
        if (state.done > done_before_ && state.done <= progress.total)
            progress.eta_seconds = progress.elapsed_seconds *
                                   static_cast<double>(progress.total - state.done) /
                                   static_cast<double>(state.done - done_before_);
        progress.kept_bytes = kept_bytes_;
        if (probe_) progress.link = probe_->link();
        if (probe_ && lacking_) progress.link->text = "waiting: " + *lacking_;
        return progress;
    }

    /// Whether a candidate that waits for training is expected to end in time.
    [[nodiscard]] bool one_fits() const {
        return std::any_of(ready_.begin(), ready_.end(), [this](const auto& each) {
            const auto found = active_.find(each.second);
            return found != active_.end() &&
                   forecast_.fits(found->second.kept.candidate, seconds_left());
        });
    }

    [[nodiscard]] double seconds_left() const {
        return started_ + options_.time_limit_seconds - clock_.now();
    }

    void stop_if_asked() {
        const bool asked = options_.should_stop && options_.should_stop();
        const bool over = seconds_left() <= 0 || (closing_ && training_ == 0 && !one_fits());
        const std::optional<std::string> gave_up =
            options_.gave_up ? options_.gave_up() : std::nullopt;
        std::optional<std::string> hopeless = failures_.hopeless();
        if (!hopeless && options_.broken) hopeless = options_.broken();
        if (!(asked || over || gave_up || hopeless) || engine_.finished()) return;
        const std::string why = asked     ? "asked to stop"
                                : over    ? "the time limit is reached"
                                : gave_up ? *gave_up
                                          : *hopeless;
        store_.record(Note{"stopped", 0, why});
        for (auto& [id, active] : active_)
            if (active.begun) --active.kept.cut_off;
        save();
        (void)report("stopped", clock_.now());
        if (!asked && !over && !gave_up)
            throw IoError("the search has stopped: " + why,
                          "the rest of its budget would go the same way",
                          "mend the cause, then run the same command with --resume to go on");
        throw Stopped(fmt::format("stopped after {} of {} candidates", engine_.state().done,
                                  engine_.settings().evaluations),
                      why, "run the same command with --resume to go on");
    }

    SearchResult finish() {
        store_.commit();
        save();
        Progress progress = report("finished", clock_.now());
        if (engine_.state().exhausted)
            log::warning(
                "no new design was found after {} candidates: the search space is exhausted",
                engine_.state().proposed);
        return {std::move(progress), engine_.state().archive.sorted()};
    }

    Engine& engine_;
    Evaluator& evaluator_;
    LatencyProbe* probe_;
    RunStore& store_;
    const SearchOptions& options_;
    SystemClock system_clock_;
    SearchClock& clock_;
    const std::size_t ask_ahead_;

    std::unordered_map<CandidateId, Active> active_;
    /// Waiting for a free slot to train; the key decides who goes first.
    std::multimap<double, CandidateId, std::greater<>> ready_;
    std::vector<CandidateId> unmeasured_;  ///< no device delivers what they need
    std::vector<CandidateId> waiting_;     ///< submitted, and not known to have begun
    Forecast forecast_;
    FailureWatch failures_;
    std::optional<std::string> lacking_;  ///< what the devices that are there cannot deliver
    bool turned_ = false;                 ///< something happened in this turn of the loop
    bool closing_ = false;                ///< the next candidate would not finish in time

    Cadence snapshots_, statuses_, tables_;
    double started_ = 0;
    std::uint64_t done_before_ = 0;  ///< candidates done when this process started
    std::uint64_t training_ = 0;     ///< candidates training now
    std::uint64_t saved_told_ = 0;
    std::uint64_t kept_bytes_ = 0;  ///< of files that candidates still need
    double training_seconds_ = 0, measuring_seconds_ = 0;
};

}  // namespace

SearchResult run_search(Engine& engine, Evaluator& evaluator, LatencyProbe* probe, RunStore& store,
                        const SearchOptions& options) {
    return Coordinator(engine, evaluator, probe, store, options).run();
}

}  // namespace edgeloop
