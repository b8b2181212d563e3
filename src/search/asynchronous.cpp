#include "search/asynchronous_engine.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace edgeloop {

AsynchronousEngine::AsynchronousEngine(const SearchSpace& space, EngineSettings settings,
                                       StaticMetrics static_metrics)
    : EngineBase(space, std::move(settings), std::move(static_metrics)) {
    state_.own = AsynchronousState{};
    rungs().resize(static_cast<std::size_t>(last_rung()));
}

std::optional<Candidate> AsynchronousEngine::ask() {
    if (auto again = next_repeat()) return again;
    std::optional<Candidate> candidate = next();
    if (candidate) state_.pending.emplace(candidate->id, *candidate);
    return candidate;
}

bool AsynchronousEngine::finished() const {
    return state_.pending.empty() && state_.confirmation.queue.empty() && spent() && !promotes();
}

void AsynchronousEngine::restored() {
    if (!std::holds_alternative<AsynchronousState>(state_.own))
        state_.own = AsynchronousState{};  // no rung had a result when it was written
    rungs().resize(static_cast<std::size_t>(last_rung()));
    nothing_fits_ = false;
    find_promotable();
}

std::optional<Candidate> AsynchronousEngine::next() {
    if (promotable_ && affords(step_above(static_cast<int>(promotable_->rung)))) {
        const std::string why = place_text(promotable_->place, promotable_->field);
        return promote(rungs()[promotable_->rung][promotable_->entry], why);
    }
    return fresh();
}

std::optional<Candidate> AsynchronousEngine::fresh() {
    if (spent()) return std::nullopt;
    const std::uint64_t number = state_.proposed, scanned = state_.scanned;
    std::optional<Candidate> candidate = create(number);
    if (!candidate) return std::nullopt;
    if (!affords(epochs_to_train(*candidate))) {
        withdraw(*candidate, scanned);
        nothing_fits_ = true;
        return std::nullopt;
    }
    candidate->generation = static_cast<std::uint32_t>(number / settings_.population);
    candidate->index = static_cast<std::uint32_t>(number % settings_.population);
    return candidate;
}

bool AsynchronousEngine::breeds(std::uint64_t number) const {
    return settings_.kind != EngineKind::random && number >= first_population() &&
           state_.population.size() >= 2;
}

std::optional<Candidate> AsynchronousEngine::create(std::uint64_t number) {
    if (!breeds(number)) return initial_candidate(number);
    RandomStream random = stream("steady", 0, number);
    Offspring child = bred(random, uses_surrogate() ? competition(0) : Points{});
    return proposer_.propose(std::move(child), random, state_);
}

void AsynchronousEngine::absorb(const CompletedCandidate& completed) {
    learn(completed);
    const auto rung = static_cast<std::size_t>(completed.candidate.rung);
    if (rung < rungs().size() && completed.status == Status::completed)
        rungs()[rung].push_back({completed, false});
    if (auto individual = as_individual(completed)) admit(std::move(*individual));
    state_.generation = static_cast<std::uint32_t>(told_first() / settings_.population);
    fix_reference();
    after_result();
}

void AsynchronousEngine::absorb_repeat() {
    settle_repeats();
    after_result();
}

void AsynchronousEngine::after_result() {
    nothing_fits_ = false;  // what a candidate is expected to cost may have changed
    queue_repeats();
    find_promotable();
}

/// A candidate is a member once, with what its highest rung says.
void AsynchronousEngine::admit(Individual individual) {
    if (individual.rung > 0) state_.population.remove(individual.id);
    state_.population.add(std::move(individual));
    if (state_.population.size() > settings_.population) state_.population.drop_worst();
}

Candidate AsynchronousEngine::promote(RungEntry& entry, std::string why) {
    entry.promoted = true;
    decide(entry.completed, true, std::move(why));
    Candidate candidate = promoted(entry.completed);
    find_promotable();
    return candidate;
}

/// The best result that may be promoted, from the highest rung down, on which the budget is
/// good for it.
void AsynchronousEngine::find_promotable() {
    promotable_.reset();
    for (std::size_t rung = rungs().size(); rung-- > 0 && !promotable_;)
        if (affords(step_above(static_cast<int>(rung)))) find_promotable_on(rung);
}

void AsynchronousEngine::find_promotable_on(std::size_t rung) {
    const std::vector<RungEntry>& entries = rungs()[rung];
    const auto places =
        static_cast<std::size_t>(static_cast<double>(entries.size()) / settings_.ladder.reduction);
    if (places == 0) return;
    if (uses_surrogate()) return find_best_acquisition(rung, places);
    std::vector<Individual> individuals;
    for (const RungEntry& entry : entries) individuals.push_back(*as_individual(entry.completed));
    const std::vector<std::size_t> order = select_survivors(individuals, places);
    for (std::size_t place = 0; place < order.size(); ++place) {
        const RungEntry& entry = entries[order[place]];
        if (entry.promoted || outclassed(entry.completed)) continue;
        promotable_ = Promotable{rung, order[place], place + 1, entries.size()};
        return;
    }
}

/// Places are counted: one whose candidate disappoints is not given away again.
void AsynchronousEngine::find_best_acquisition(std::size_t rung, std::size_t places) {
    const std::vector<RungEntry>& entries = rungs()[rung];
    const auto promoted_before = static_cast<std::size_t>(std::count_if(
        entries.begin(), entries.end(), [](const RungEntry& entry) { return entry.promoted; }));
    if (promoted_before >= places) return;
    const Points rivals = competition(static_cast<int>(rung) + 1);
    double max_value = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].promoted) continue;
        const auto predicted = predict(entries[i].completed);
        const double value = predicted ? acquisition_of(*predicted, rivals) : max_value;
        if (value <= max_value) continue;
        if (settings_.pruning.dominated && value <= 0) continue;
        max_value = value;
        promotable_ = Promotable{rung, i, promoted_before + 1, entries.size()};
    }
}

std::unique_ptr<Engine> make_asynchronous(const SearchSpace& space, EngineSettings settings,
                                          StaticMetrics static_metrics) {
    return std::make_unique<AsynchronousEngine>(space, std::move(settings),
                                                std::move(static_metrics));
}

}  // namespace edgeloop
