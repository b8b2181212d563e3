#include "edgeloop/search/engine.hpp"

#include "search/engine_base.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double reference_margin = 0.1;  // of each objective's extent, beyond the worst

double smallest(const std::vector<ArchiveMember>& members, std::size_t objective) {
    double value = members.front().objectives[objective];
    for (const ArchiveMember& member : members)
        value = std::min(value, member.objectives[objective]);
    return value;
}

/// Rounded up to 1, 2 or 5 times a power of 10. REQUIRES: positive.
double rounded_up(double value) {
    const double power = std::pow(10, std::floor(std::log10(value)));
    constexpr double rounding = 1e-9;
    for (const double step : {1.0, 2.0, 5.0})
        if (step * power >= value * (1 - rounding)) return step * power;
    return 10 * power;
}

/// Where an objective is worth nothing, as ReferenceRule::scale says; nothing: that is not known.
std::optional<double> worthless_value(const Goals& goals, const std::string& name,
                                      double smallest) {
    constexpr double multiple = 10;
    std::optional<double> limit;
    for (const Constraint& constraint : goals.constraints)
        if (constraint.metric == name && constraint.relation == Relation::at_most)
            limit = std::min(limit.value_or(constraint.bound), constraint.bound);
    if (limit) return limit;
    if (const auto known = goals.worthless.find(name); known != goals.worthless.end())
        return known->second;
    return smallest > 0 ? std::optional(rounded_up(multiple * smallest)) : std::nullopt;
}

void check_ladder(const LadderSettings& ladder) {
    for (std::size_t i = 0; i < ladder.epochs.size(); ++i)
        if (ladder.epochs[i] < 1 || (i > 0 && ladder.epochs[i] <= ladder.epochs[i - 1]))
            throw ConfigError("rungs must be positive and ascending", {}, "write them like 1 3 9");
    if (!(ladder.reduction > 1))
        throw ConfigError(fmt::format("the reduction between rungs is {}", ladder.reduction),
                          "one in so many is promoted", "give a number above 1, such as 3");
}

void check(const EngineSettings& settings) {
    if (settings.population < 2)
        throw ConfigError(fmt::format("population {} is too small", settings.population),
                          "crossover needs two parents", "give at least 2");
    if (settings.evaluations < 1) throw ConfigError("a search needs at least one evaluation");
    if (settings.goals.objectives.empty()) throw ConfigError("a search needs an objective");
    const auto& reference = settings.goals.reference;
    if (!reference.empty() && reference.size() != settings.goals.objectives.size())
        throw ConfigError(fmt::format("the reference point has {} values", reference.size()),
                          fmt::format("there are {} objectives", settings.goals.objectives.size()),
                          "give one for each objective, in their order");
    check_ladder(settings.ladder);
    if (settings.confirm == 1)
        throw ConfigError("one further training of a design has no standard deviation", {},
                          "give --confirm at least 2, or 0 to take every result as it is");
    const int full =
        settings.ladder.epochs.empty() ? settings.epochs : settings.ladder.epochs.back();
    if (settings.budget.unit == Budget::Unit::epochs && settings.budget.amount < full)
        throw ConfigError(fmt::format("the budget is {:g} epochs", settings.budget.amount),
                          fmt::format("one design trains for {}", full),
                          "raise --budget, or train for fewer epochs");
    if (settings.surrogate.children < 1 || !(settings.surrogate.deviations >= 0))
        throw ConfigError(
            "a surrogate needs at least one child and a bound of 0 deviations or more");
}

}  // namespace

std::uint64_t training_seed(std::uint64_t run_seed, const Digest& design, std::uint32_t repeat) {
    return RandomStream(run_seed, "training", repeat, design.low ^ design.high).next_u64();
}

std::set<CandidateId> under_way(const EngineState& state) {
    std::set<CandidateId> ids;
    for (const auto& pending : state.pending) ids.insert(pending.first);
    for (const Candidate& queued : state.confirmation.queue) ids.insert(queued.id);
    if (const auto* own = std::get_if<GenerationalState>(&state.own))
        for (const Candidate& queued : own->queue) ids.insert(queued.id);
    return ids;
}

std::set<CandidateId> unfinished(const EngineState& state) {
    std::set<CandidateId> ids = under_way(state);
    if (const auto* own = std::get_if<GenerationalState>(&state.own))
        for (const CompletedCandidate& told : own->cohort) ids.insert(told.candidate.id);
    else
        for (const auto& rung : std::get<AsynchronousState>(state.own).rungs)
            for (const RungEntry& entry : rung)
                if (!entry.promoted) ids.insert(entry.completed.candidate.id);
    return ids;
}

std::unique_ptr<Engine> make_engine(const SearchSpace& space, EngineSettings settings,
                                    StaticMetrics static_metrics) {
    check(settings);
    if (settings.kind == EngineKind::generational)
        return make_generational(space, std::move(settings), std::move(static_metrics));
    if (settings.kind == EngineKind::model_based)
        return make_model_based(space, std::move(settings), std::move(static_metrics));
    return make_asynchronous(space, std::move(settings), std::move(static_metrics));
}

EngineBase::EngineBase(const SearchSpace& space, EngineSettings settings,
                       StaticMetrics static_metrics)
    : space_(space),
      settings_(std::move(settings)),
      proposer_(space_, settings_, std::move(static_metrics)),
      surrogate_(space_, settings_.goals, state_.surfaces),
      confirmation_(settings_.goals, settings_.confirm) {
    state_.reference = settings_.goals.reference;
    if (models()) state_.surfaces.resize(static_cast<std::size_t>(last_rung()) + 1);
    state_.gains.resize(static_cast<std::size_t>(last_rung()));
}

void EngineBase::tell(const CompletedCandidate& completed) {
    const auto pending = state_.pending.find(completed.candidate.id);
    EDGELOOP_EXPECT(
        pending != state_.pending.end() && pending->second.rung == completed.candidate.rung,
        fmt::format("candidate {} is not pending", completed.candidate.id));
    state_.pending.erase(pending);
    ++state_.told;
    state_.spent.add(completed, settings_.budget);
    if (repeat_of(completed.candidate.id) > 0) {
        confirmation_.take(completed, state_.confirmation);
        return absorb_repeat();
    }
    ++state_.by_status[completed.status];
    if (completed.candidate.rung == 0) ++state_.done;
    if (completed.status == Status::completed && completed.candidate.rung > 0) note_gain(completed);
    const bool at_top = completed.candidate.rung == last_rung();
    const bool by_model = models() || settings_.kind == EngineKind::model_based;
    if (completed.status == Status::completed && (at_top || by_model)) {
        std::vector<double> values = settings_.goals.values(completed.metrics);
        // With a model the reference decides what is looked for, so it must not be drawn by the few
        // that were promoted first.
        note_extent(values);
        if (at_top && confirmation_.on()) confirmation_.add(completed, state_.confirmation);
        if (at_top) state_.archive.add(completed, std::move(values));
    }
    absorb(completed);
}

std::vector<Decision> EngineBase::take_decisions() { return std::exchange(decisions_, {}); }

std::optional<Verdict> EngineBase::verdict(const Candidate& candidate, const Metrics& known) const {
    if (repeat_of(candidate.id) > 0) return std::nullopt;
    auto why_not = settings_.pruning.infeasible ? settings_.goals.broken(known) : std::nullopt;
    if (!why_not && settings_.static_rule) why_not = settings_.static_rule(candidate);
    if (why_not) return Verdict{Status::infeasible, std::move(*why_not)};
    if (!settings_.pruning.dominated || rivals().empty()) return std::nullopt;
    std::optional<std::string> why;
    if (uses_surrogate()) {
        Candidate informed = candidate;
        for (const auto& [name, value] : known) informed.known[name] = value;
        why = dominated_at_bound(predict(informed));
    } else {
        Point best;
        for (std::size_t i = 0; i < settings_.goals.objectives.size(); ++i) {
            const auto found = known.find(settings_.goals.objectives[i]);
            best.push_back(found != known.end() ? found->second - settings_.pruning.optimism *
                                                                      std::abs(found->second)
                                                : smallest(rivals(), i));
        }
        why = dominated(best, "at the best seen");
    }
    return why ? std::optional(Verdict{Status::cancelled, std::move(*why)}) : std::nullopt;
}

std::optional<std::string> EngineBase::outclassed(const CompletedCandidate& completed) const {
    if (!settings_.pruning.dominated) return std::nullopt;
    if (uses_surrogate()) return dominated_at_bound(predict(completed));
    Metrics best = completed.metrics;
    const auto rung = static_cast<std::size_t>(completed.candidate.rung);
    for (std::size_t k = rung; k < state_.gains.size(); ++k) {
        if (state_.gains[k].empty()) return std::nullopt;
        for (const auto& [name, ratio] : state_.gains[k]) best[name] *= ratio;
    }
    return dominated(settings_.goals.values(best), "after the largest improvement seen");
}

std::optional<std::string> EngineBase::dominated_at_bound(
    const std::optional<Prediction>& predicted) const {
    if (!predicted) return std::nullopt;
    return dominated(predicted->bound, fmt::format("{} deviations below its prediction",
                                                   settings_.surrogate.deviations));
}

std::optional<std::string> EngineBase::dominated(const Point& objectives,
                                                 const std::string& even) const {
    for (const ArchiveMember& rival : rivals())
        if (dominates(rival.objectives, objectives))
            return fmt::format("candidate {} would dominate it even {}",
                               rival.completed.candidate.id, even);
    return std::nullopt;
}

void EngineBase::learn(const CompletedCandidate& completed) {
    const bool trained =
        completed.status == Status::completed || completed.status == Status::infeasible;
    if (models() && trained) surrogate_.learn(completed, state_.surfaces);
}

std::optional<Prediction> EngineBase::predict(const Candidate& candidate) const {
    Metrics known = candidate.previous;
    for (const auto& [name, value] : candidate.known) known[name] = value;
    return surrogate_.predict(candidate.genome, known, candidate.rung - 1,
                              settings_.surrogate.deviations);
}

std::optional<Prediction> EngineBase::predict(const CompletedCandidate& completed) const {
    return surrogate_.predict(completed.candidate.genome, completed.metrics,
                              completed.candidate.rung, settings_.surrogate.deviations);
}

double EngineBase::acquisition_of(const Prediction& prediction, const Points& rivals) const {
    Metrics expected;
    for (std::size_t i = 0; i < prediction.mean.size(); ++i)
        expected[settings_.goals.objectives[i]] = prediction.mean[i];
    const double violation = settings_.goals.violation(expected);
    constexpr double infeasible = -1e9;
    return violation > 0 ? infeasible * (1 + violation)
                         : acquisition(prediction, rivals, state_.reference);
}

Points EngineBase::competition(int rung) const {
    Points points = state_.archive.points();
    const auto add = [&](const Candidate& candidate) {
        if (candidate.rung < rung || repeat_of(candidate.id) > 0) return;
        if (auto predicted = predict(candidate)) points.push_back(std::move(predicted->bound));
    };
    for (const auto& pending : state_.pending) add(pending.second);
    if (const auto* own = std::get_if<GenerationalState>(&state_.own))
        for (const Candidate& queued : own->queue) add(queued);
    return points;
}

Offspring EngineBase::bred(RandomStream& random, const Points& rivals) const {
    const std::vector<Individual>& parents = state_.population.individuals();
    const Ranking& ranking = state_.population.ranking();
    const auto child = [&] {
        const std::size_t a = tournament(parents, ranking, random);
        const std::size_t b = tournament(parents, ranking, random);
        auto children =
            vary(space_, parents[a].genome, parents[b].genome, settings_.variation, random);
        return Offspring{std::move(children.first), both_parents(parents[a].id, parents[b].id)};
    };
    Offspring best = child();
    if (!uses_surrogate()) return best;
    double max_value = -std::numeric_limits<double>::infinity();
    Offspring next = best;
    for (std::size_t i = 0; i < settings_.surrogate.children; ++i, next = child()) {
        if (!proposer_.usable(next.genome, state_)) continue;
        const auto predicted =
            surrogate_.predict(next.genome, {}, -1, settings_.surrogate.deviations);
        if (!predicted) return best;
        const double value = acquisition_of(*predicted, rivals);
        if (value <= max_value) continue;
        max_value = value;
        best = next;
    }
    return best;
}

void EngineBase::restore(EngineState state) {
    state_ = std::move(state);
    decisions_.clear();
    if (models()) state_.surfaces.resize(static_cast<std::size_t>(last_rung()) + 1);
    surrogate_.reset();
    restored();
}

RandomStream EngineBase::stream(const char* purpose, std::uint32_t generation,
                                std::uint64_t individual) const {
    return RandomStream(settings_.seed, purpose, generation, individual);
}

std::optional<Candidate> EngineBase::initial_candidate(std::uint64_t number) {
    RandomStream random = stream("initial", 0, number);
    if (number < settings_.first.size())
        return proposer_.given(settings_.first[number], random, state_);
    return proposer_.sample(random, state_);
}

bool EngineBase::affords(double epochs) const {
    if (!settings_.budget.limits()) return true;
    double promised = 0;
    for (const auto& pending : state_.pending) promised += epochs_to_train(pending.second);
    if (const auto* own = std::get_if<GenerationalState>(&state_.own))
        for (const Candidate& queued : own->queue) promised += epochs_to_train(queued);
    return promised + epochs <= epochs_left(settings_.budget, state_.spent);
}

void EngineBase::withdraw(const Candidate& candidate, std::uint64_t scanned) {
    state_.seen.erase(space_.identity(candidate.genome));
    --state_.proposed;
    state_.scanned = scanned;
}

double EngineBase::step_above(int rung) const {
    const auto next = static_cast<std::size_t>(rung) + 1;
    return settings_.ladder.epochs.at(next) - settings_.ladder.epochs.at(next - 1);
}

int EngineBase::last_rung() const {
    return settings_.ladder.epochs.empty() ? 0
                                           : static_cast<int>(settings_.ladder.epochs.size()) - 1;
}

Candidate EngineBase::promoted(const CompletedCandidate& completed) const {
    Candidate candidate = completed.candidate;
    ++candidate.rung;
    candidate.trained_epochs = candidate.epochs;
    candidate.epochs = settings_.ladder.epochs.at(static_cast<std::size_t>(candidate.rung));
    candidate.keep_state = candidate.rung < last_rung();
    candidate.known = completed.settled;
    candidate.previous = completed.metrics;
    return candidate;
}

std::optional<Individual> EngineBase::as_individual(const CompletedCandidate& completed) const {
    Individual individual;
    individual.id = completed.candidate.id;
    individual.rung = completed.candidate.rung;
    individual.genome = completed.candidate.genome;
    if (completed.status == Status::completed) {
        individual.objectives = settings_.goals.values(completed.metrics);
        if (individual.rung == last_rung()) compete_by_mean(individual);
        return individual;
    }
    individual.violation = settings_.goals.violation(completed.metrics);
    if (completed.status != Status::infeasible || individual.violation <= 0) return std::nullopt;
    // Among infeasible members only the violation counts, and not all their metrics are known.
    individual.objectives.assign(settings_.goals.objectives.size(), individual.violation);
    return individual;
}

void EngineBase::decide(const CompletedCandidate& completed, bool promoted, std::string reason) {
    decisions_.push_back({completed.candidate.id, promoted,
                          fmt::format("{} after {} epochs", reason, completed.candidate.epochs)});
}

void EngineBase::note_gain(const CompletedCandidate& completed) {
    Metrics& gains = state_.gains.at(static_cast<std::size_t>(completed.candidate.rung) - 1);
    for (const std::string& name : settings_.goals.objectives) {
        const auto before = completed.candidate.previous.find(name);
        const bool comparable = before != completed.candidate.previous.end() && before->second > 0;
        if (!comparable || completed.settled.count(name) > 0) continue;
        const double ratio = completed.metrics.at(name) / before->second;
        const auto [gain, first] = gains.emplace(name, ratio);
        if (!first) gain->second = std::min(gain->second, ratio);
    }
}

void EngineBase::note_extent(const std::vector<double>& values) {
    if (state_.best.empty()) state_.best = state_.worst = values;
    for (std::size_t i = 0; i < values.size(); ++i) {
        state_.best[i] = std::min(state_.best[i], values[i]);
        state_.worst[i] = std::max(state_.worst[i], values[i]);
    }
}

void EngineBase::fix_reference() {
    if (!state_.reference.empty() || state_.worst.empty() || told_first() < results_for_reference())
        return;
    for (std::size_t i = 0; i < state_.worst.size(); ++i) {
        const std::string& name = settings_.goals.objectives[i];
        std::optional<double> scale;
        if (settings_.reference_rule == ReferenceRule::scale)
            scale = worthless_value(settings_.goals, name, state_.best[i]);
        const double extent = state_.worst[i] - state_.best[i];
        const double margin = extent > 0 ? extent : std::abs(state_.worst[i]);
        state_.reference.push_back(scale.value_or(state_.worst[i] + reference_margin * margin));
    }
}

std::string EngineBase::place_text(std::size_t place, std::size_t field) const {
    return fmt::format("place {} of {} by {}", place, field,
                       uses_surrogate() ? "acquisition" : "rank and crowding");
}

}  // namespace edgeloop
