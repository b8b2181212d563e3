#include "edgeloop/search/confirmation.hpp"

#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double pooled_weight = 4;  // degrees of freedom that the pooled variance counts for
constexpr std::uint64_t fewest = 2;  // draws that have a standard deviation

double value_of(const Metrics& metrics, const std::string& name) {
    const auto found = metrics.find(name);
    return found != metrics.end() ? found->second : 0;
}

/// Variance relative to the square of the mean.
double relative_variance(const Confirmed& confirmed, const std::string& objective) {
    return square(value_of(confirmed.deviation, objective) / value_of(confirmed.mean, objective));
}

std::vector<ArchiveMember> non_dominated(const std::vector<ArchiveMember>& members) {
    Archive front;
    for (const ArchiveMember& member : members) front.add(member);
    return front.sorted();
}

}  // namespace

Noise::Noise(const std::map<CandidateId, Confirmed>& results) {
    Metrics freedom;
    for (const auto& [id, each] : results)
        for (const auto& [name, deviation] : each.deviation) {
            if (value_of(each.mean, name) == 0) continue;
            const auto own = static_cast<double>(each.count - 1);
            freedom[name] += own;
            relative_variance_[name] += own * relative_variance(each, name);
        }
    for (auto& [name, variance] : relative_variance_) variance /= freedom[name];
}

double Noise::standard_error(const std::string& objective, const Confirmed& own) const {
    const auto deviation = own.deviation.find(objective);
    if (deviation == own.deviation.end()) return 0;
    const auto count = static_cast<double>(own.count);
    const double mean = value_of(own.mean, objective);
    if (mean == 0) return deviation->second / std::sqrt(count);
    const double freedom = count - 1;
    const double variance = (pooled_weight * value_of(relative_variance_, objective) +
                             freedom * relative_variance(own, objective)) /
                            (pooled_weight + freedom);
    return std::abs(mean) * std::sqrt(variance / count);
}

double Noise::deviation(const std::string& objective, double value) const {
    return std::abs(value) * std::sqrt(value_of(relative_variance_, objective));
}

std::vector<CandidateId> trainings_to_keep(const ConfirmationState& state) {
    std::vector<CandidateId> ids;
    for (const auto& [id, draws] : state.draws)
        for (const Draw& draw : draws) ids.push_back(draw.id);
    for (const ArchiveMember& member : state.contenders)
        if (member.weights > 0) ids.push_back(member.weights);
    return ids;
}

std::vector<std::string> trained_objectives(const Goals& goals,
                                            const CompletedCandidate& completed) {
    std::vector<std::string> names;
    for (const std::string& name : goals.objectives)
        if (completed.settled.count(name) == 0) names.push_back(name);
    return names;
}

void Confirmation::add(const CompletedCandidate& completed, ConfirmationState& state) const {
    ArchiveMember member{completed, goals_.values(completed.metrics)};
    const Noise noise(state.results);
    for (const ArchiveMember& other : state.contenders)
        if (probably_worse(member, other, state, noise)) return;
    state.contenders.push_back(std::move(member));
}

void Confirmation::take(const CompletedCandidate& repeat, ConfirmationState& state) const {
    ++state.told;
    Draw draw{repeat.candidate.id, {}, repeat.reason, repeat.training_seconds};
    // One that breaks a constraint counts for the mean as all others do.
    const bool usable = repeat.status == Status::completed || repeat.status == Status::infeasible;
    if (usable && !goals_.incomplete(repeat.metrics)) {
        draw.reason.clear();
        for (const auto& [name, value] : repeat.metrics)
            if (repeat.settled.count(name) == 0) draw.metrics[name] = value;
    }
    std::vector<Draw>& draws = state.draws[design_of(repeat.candidate.id)];
    const auto place = std::find_if(draws.begin(), draws.end(),
                                    [&](const Draw& other) { return other.id > draw.id; });
    draws.insert(place, std::move(draw));
}

std::vector<CandidateId> Confirmation::settle(ConfirmationState& state) const {
    std::vector<CandidateId> settled;
    for (ArchiveMember& member : state.contenders) {
        const CandidateId id = member.completed.candidate.id;
        const auto draws = state.draws.find(id);
        if (draws == state.draws.end() || draws->second.size() < repeats_) continue;
        const Confirmed& result = state.results[id] = summary(member.completed, draws->second);
        for (std::size_t i = 0; i < member.objectives.size(); ++i)
            if (result.deviation.count(goals_.objectives[i]) > 0)
                member.objectives[i] = result.mean.at(goals_.objectives[i]);
        member.weights = result.weights;
        state.draws.erase(draws);
        settled.push_back(id);
    }
    if (settled.empty()) return settled;
    drop_contenders(state);
    std::sort(settled.begin(), settled.end());
    return settled;
}

void Confirmation::drop_contenders(ConfirmationState& state) const {
    const auto erase_if = [&](const auto& leaves) {
        auto& all = state.contenders;
        all.erase(std::remove_if(all.begin(), all.end(), leaves), all.end());
    };
    erase_if([&](const ArchiveMember& member) {
        const auto result = state.results.find(member.completed.candidate.id);
        return result != state.results.end() && !result->second.problem.empty();
    });
    const Noise noise(state.results);
    const std::vector<ArchiveMember> others = state.contenders;
    erase_if([&](const ArchiveMember& member) {
        if (state.draws.count(member.completed.candidate.id) > 0) return false;  // under way
        return std::any_of(others.begin(), others.end(), [&](const ArchiveMember& other) {
            return probably_worse(member, other, state, noise);
        });
    });
}

Confirmed Confirmation::summary(const CompletedCandidate& first,
                                const std::vector<Draw>& draws) const {
    Confirmed result;
    std::map<std::string, std::vector<double>> values;
    std::string failure;
    for (const Draw& draw : draws) {
        result.seconds += draw.seconds;
        if (draw.metrics.empty() && failure.empty()) failure = draw.reason;
        if (draw.metrics.empty()) continue;
        if (result.count++ == 0) result.weights = draw.id;
        for (const auto& [name, value] : draw.metrics) values[name].push_back(value);
    }
    if (result.count < fewest) {
        result.problem = fmt::format("not confirmed: {} of {} further trainings completed ({})",
                                     result.count, draws.size(), failure);
        return result;
    }
    for (const auto& [name, all] : values) {
        double sum = 0;
        for (const double value : all) sum += value;
        result.mean[name] = sum / static_cast<double>(all.size());
    }
    for (const std::string& name : trained_objectives(goals_, first)) {
        double squares = 0;
        for (const double value : values.at(name)) squares += square(value - result.mean.at(name));
        result.deviation[name] = std::sqrt(squares / static_cast<double>(result.count - 1));
    }
    if (const auto broken = goals_.broken(result.mean)) {
        result.infeasible = true;
        result.problem = fmt::format("not confirmed: on average {}", *broken);
    }
    return result;
}

std::vector<ArchiveMember> Confirmation::front(const ConfirmationState& state) const {
    std::vector<ArchiveMember> members = non_dominated(state.contenders);
    const Noise noise(state.results);
    for (ArchiveMember& member : members)
        member.completed = as_reported(std::move(member.completed), state.results, noise);
    return members;
}

std::vector<ArchiveMember> Confirmation::confirmed_front(const ConfirmationState& state) const {
    ConfirmationState settled;
    settled.results = state.results;
    for (const ArchiveMember& member : state.contenders)
        if (is_settled(member, state)) settled.contenders.push_back(member);
    return front(settled);
}

std::vector<ArchiveMember> Confirmation::unconfirmed(const std::vector<ArchiveMember>& members,
                                                     const ConfirmationState& state) const {
    std::vector<ArchiveMember> found;
    for (const ArchiveMember& member : members)
        if (!is_settled(member, state) && state.draws.count(member.completed.candidate.id) == 0)
            found.push_back(member);
    std::sort(found.begin(), found.end(), [](const ArchiveMember& a, const ArchiveMember& b) {
        return a.completed.candidate.id < b.completed.candidate.id;
    });
    return found;
}

bool Confirmation::is_settled(const ArchiveMember& member, const ConfirmationState& state) const {
    return state.results.count(member.completed.candidate.id) > 0 ||
           trained_objectives(goals_, member.completed).empty();
}

bool Confirmation::probably_worse(const ArchiveMember& b, const ArchiveMember& a,
                                  const ConfirmationState& state, const Noise& noise) const {
    if (!is_settled(a, state) || !dominates(a.objectives, b.objectives)) return false;
    const auto error_of = [&](const ArchiveMember& member, std::size_t i) {
        const std::string& name = goals_.objectives[i];
        if (member.completed.settled.count(name) > 0) return 0.0;
        const auto found = state.results.find(member.completed.candidate.id);
        return found != state.results.end() ? noise.standard_error(name, found->second)
                                            : noise.deviation(name, member.objectives[i]);
    };
    for (std::size_t i = 0; i < goals_.objectives.size(); ++i) {
        const double error = std::hypot(error_of(a, i), error_of(b, i));
        if (b.objectives[i] - a.objectives[i] < error) return false;
    }
    return true;
}

CompletedCandidate as_reported(CompletedCandidate first,
                               const std::map<CandidateId, Confirmed>& results,
                               const Noise& noise) {
    const auto found = results.find(first.candidate.id);
    if (found == results.end()) return first;
    const Confirmed& result = found->second;
    if (!result.problem.empty()) first.reason = result.problem;
    if (result.infeasible) first.status = Status::infeasible;
    if (result.count < fewest) return first;
    const Metrics before = first.metrics;
    for (const auto& [name, mean] : result.mean) first.metrics[name] = mean;
    for (const auto& [name, deviation] : result.deviation) {
        first.metrics["first_" + name] = value_of(before, name);
        first.metrics[name + "_n"] = static_cast<double>(result.count);
        first.metrics[name + "_sd"] = deviation;
        first.metrics[name + "_se"] = noise.standard_error(name, result);
    }
    return first;
}

}  // namespace edgeloop
