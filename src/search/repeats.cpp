#include "search/engine_base.hpp"

#include <utility>

#include <fmt/format.h>

namespace edgeloop {

std::vector<ArchiveMember> reported_front(const Engine& engine) {
    const Confirmation confirmation(engine.settings().goals, engine.settings().confirm);
    return confirmation.on() && engine.finished()
               ? confirmation.confirmed_front(engine.state().confirmation)
               : engine.state().archive.sorted();
}

std::size_t left_unconfirmed(const Engine& engine) {
    const Confirmation confirmation(engine.settings().goals, engine.settings().confirm);
    if (!confirmation.on() || !engine.finished()) return 0;
    const EngineState& state = engine.state();
    return confirmation.unconfirmed(state.archive.members(), state.confirmation).size();
}

void EngineBase::settle_repeats() {
    const std::vector<CandidateId> settled = confirmation_.settle(state_.confirmation);
    for (const CandidateId id : settled) note_confirmed(id);
    if (!settled.empty()) state_.archive = Archive(confirmation_.front(state_.confirmation));
}

void EngineBase::note_confirmed(CandidateId id) {
    const Confirmed& result = state_.confirmation.results.at(id);
    std::string text = result.problem;
    if (text.empty()) {
        text = fmt::format("by {} trainings:", result.count);
        for (const auto& [name, deviation] : result.deviation)
            text += fmt::format(" {} {:.4g} sd {:.2g}", name, result.mean.at(name), deviation);
    }
    decisions_.push_back(
        {id, false, std::move(text), result.problem.empty() ? "confirmed" : "not confirmed"});
    note_mean(id, result);
    for (const Individual& member : state_.population.individuals()) {
        if (member.id != id) continue;
        Individual changed = member;
        compete_by_mean(changed);
        state_.population.replace(std::move(changed));
        break;
    }
}

/// For a model all trainings count, the first as well: it knows why that one was looked at.
void EngineBase::note_mean(CandidateId id, const Confirmed& confirmed) {
    const auto repeats = static_cast<double>(confirmed.count);
    for (ModelResult& result : state_.model.results) {
        if (result.id != id || result.rung != last_rung()) continue;
        for (auto& [name, value] : result.metrics)
            if (const auto mean = confirmed.mean.find(name); mean != confirmed.mean.end())
                value = (value + repeats * mean->second) / (1 + repeats);
        result.trainings = 1 + repeats;
    }
}

void EngineBase::queue_repeats() {
    if (!confirmation_.on()) return;
    ConfirmationState& known = state_.confirmation;
    for (const ArchiveMember& member : confirmation_.unconfirmed(state_.archive.members(), known)) {
        if (known.asked + confirmation_.repeats() > state_.done) return;
        if (!may_confirm(member.completed.candidate)) continue;
        known.asked += confirmation_.repeats();
        known.draws[member.completed.candidate.id] = {};
        for (std::uint32_t number = 1; number <= confirmation_.repeats(); ++number)
            known.queue.push_back(repeat(member.completed, number));
    }
}

std::optional<Candidate> EngineBase::next_repeat() {
    std::deque<Candidate>& queue = state_.confirmation.queue;
    if (queue.empty()) return std::nullopt;
    Candidate candidate = std::move(queue.front());
    queue.pop_front();
    state_.pending.emplace(candidate.id, candidate);
    return candidate;
}

Candidate EngineBase::repeat(const CompletedCandidate& first, std::uint32_t number) const {
    Candidate candidate = first.candidate;
    candidate.id = repeat_id(first.candidate.id, number);
    candidate.seed = training_seed(settings_.seed, space_.identity(first.candidate.genome), number);
    candidate.trained_epochs = 0;
    candidate.keep_state = false;
    candidate.known = first.settled;
    candidate.previous.clear();
    candidate.parents.clear();
    return candidate;
}

void EngineBase::compete_by_mean(Individual& individual) const {
    const auto found = state_.confirmation.results.find(individual.id);
    if (found == state_.confirmation.results.end() || found->second.mean.empty()) return;
    const Confirmed& result = found->second;
    for (std::size_t i = 0; i < settings_.goals.objectives.size(); ++i)
        if (const auto mean = result.mean.find(settings_.goals.objectives[i]);
            mean != result.mean.end())
            individual.objectives[i] = mean->second;
    if (!result.infeasible) return;
    individual.violation = settings_.goals.violation(result.mean);
    individual.objectives.assign(individual.objectives.size(), individual.violation);
}

}  // namespace edgeloop
