#include "search/housekeeping.hpp"

#include "edgeloop/core/log.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {

std::string reached(const Progress& progress) {
    if (progress.total > 0)
        return fmt::format("{} of {} candidates", progress.done, progress.total);
    return fmt::format("{} candidates", progress.done);
}

void Housekeeping::Cadence::done(double started, double now) {
    constexpr double max_share = 0.01;  // of the time
    next_ = now + std::max(interval_, (now - started) / max_share);
}

Housekeeping::Housekeeping(const Engine& engine, RunStore& store, const SearchOptions& options,
                           const SearchClock& clock)
    : engine_(engine),
      store_(store),
      options_(options),
      clock_(clock),
      snapshots_(options.snapshot_seconds),
      statuses_(options.status_seconds),
      tables_(options.table_seconds),
      started_(clock.now()),
      paced_from_(clock.pace()) {}

void Housekeeping::resumed() {
    done_before_ = engine_.state().done;
    repeats_before_ = engine_.state().confirmation.told;
    spent_before_ = effort() ? effort()->spent : 0;
    tidy();
}

void Housekeeping::tidy() {
    if (options_.tidy) kept_bytes_ = options_.tidy(engine_.state());
}

bool Housekeeping::save_is_due() const {
    return snapshots_.due(clock_.pace()) && engine_.state().told != saved_told_;
}

void Housekeeping::save(const ActiveCandidates& active) {
    const double before = clock_.pace();
    std::map<CandidateId, InFlight> in_flight;
    for (const auto& [id, each] : active) in_flight.emplace(id, each.kept);
    store_.snapshot(engine_.state(), in_flight);
    saved_told_ = engine_.state().told;
    tidy();
    snapshots_.done(before, clock_.pace());
}

Progress Housekeeping::report(const char* phase, Progress progress) {
    const double now = clock_.pace();
    const bool tables = tables_.due(now) || std::string(phase) != "running";
    const EngineState& state = engine_.state();
    if (std::string(phase) == "finished" && state.exhausted)
        log::warning("no new design was found after {} candidates: the search space is exhausted",
                     state.proposed);
    progress.phase = phase;
    progress.done = state.done;
    progress.done_before = done_before_;
    const std::uint64_t evaluations = engine_.settings().evaluations;
    progress.total = evaluations == no_limit ? 0 : evaluations;
    progress.effort = effort();
    progress.by_status = state.by_status;
    progress.generation = state.generation;
    progress.elapsed_seconds = now - paced_from_;
    if (clock_.is_virtual()) progress.virtual_seconds = clock_.now() - started_;
    progress.eta_seconds = eta(progress);
    progress.kept_bytes = kept_bytes_;
    add_front(progress);
    const std::vector<ArchiveMember> front = reported_front(engine_);
    if (tables && options_.show) options_.show(front);
    store_.publish(progress, front, tables);
    if (options_.on_progress) options_.on_progress(progress);
    const double after = clock_.pace();
    statuses_.done(now, after);
    if (tables) tables_.done(now, after);
    return progress;
}

std::optional<Effort> Housekeeping::effort() const {
    const EngineSettings& settings = engine_.settings();
    const Spent& spent = engine_.state().spent;
    const Budget::Unit unit = settings.budget.unit;
    if (settings.budget.limits())
        return Effort{name_of(unit), spent.in(unit), settings.budget.amount};
    const std::optional<double> expected = expected_epochs(settings);
    if (!expected) return std::nullopt;
    // Nobody knows how many repeats there will be; they train to the last rung.
    const double repeats = double(engine_.state().confirmation.told) *
                           (settings.ladder.epochs.empty() ? 0 : settings.ladder.epochs.back());
    const double so_far = spent.epochs - repeats;
    // Fewer designs than expected may have been promoted.
    return Effort{name_of(Budget::Unit::epochs), so_far, engine_.finished() ? so_far : *expected};
}

std::optional<double> Housekeeping::eta(const Progress& progress) const {
    const auto at_rate = [&](double before, double now, double end) -> std::optional<double> {
        if (now <= before || now > end) return std::nullopt;
        return progress.elapsed_seconds * (end - now) / (now - before);
    };
    const auto seconds =
        progress.effort
            ? at_rate(spent_before_, progress.effort->spent, progress.effort->total)
            : at_rate(static_cast<double>(done_before_), static_cast<double>(progress.done),
                      static_cast<double>(progress.total));
    if (!seconds || (progress.effort && engine_.settings().budget.limits())) return seconds;
    // Repeats that are under way take as long as any training so far; those to come are in the
    // rate.
    const auto& repeats = engine_.state().confirmation;
    const double ended = double(progress.done - done_before_ + repeats.told - repeats_before_);
    if (ended <= 0 || repeats.asked == repeats.told) return seconds;
    return *seconds + progress.elapsed_seconds * double(repeats.asked - repeats.told) / ended;
}

void Housekeeping::add_front(Progress& progress) const {
    const EngineState& state = engine_.state();
    const std::vector<ArchiveMember> front = reported_front(engine_);
    const Confirmation confirmation(engine_.settings().goals, engine_.settings().confirm);
    Points points;
    for (const ArchiveMember& member : front) {
        points.push_back(member.objectives);
        progress.front_not_valid += measured_validly(member.completed.metrics) ? 0 : 1;
        progress.confirmed += confirmation.is_settled(member, state.confirmation) ? 1 : 0;
    }
    progress.front = points.size();
    progress.confirms = state.confirmation.asked > 0;
    progress.repeats = state.confirmation.told;
    progress.repeats_asked = state.confirmation.asked;
    progress.left_unconfirmed = left_unconfirmed(engine_);
    progress.reference = state.reference;
    if (state.reference.size() > 1) progress.hypervolume = hypervolume(points, state.reference);
    const std::vector<std::string>& names = engine_.settings().goals.objectives;
    for (std::size_t i = 0; i < names.size() && !points.empty(); ++i) {
        double& best = progress.best[names[i]] = points.front()[i];
        for (const Point& point : points) best = std::min(best, point[i]);
    }
}

}  // namespace edgeloop
