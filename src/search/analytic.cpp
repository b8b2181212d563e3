#include "edgeloop/search/analytic.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

std::string constraint_name(std::size_t index) { return fmt::format("g{}", index + 1); }

// A problem does not say how many constraints it has; any point tells.
std::size_t constraint_count(const Problem& problem) {
    RandomStream random(0, "constraint count");
    return problem.evaluate(problem.space().sample(random)).constraints.size();
}

}  // namespace

Goals goals_of(const Problem& problem) {
    Goals goals;
    goals.objectives = problem.objective_names();
    goals.reference = problem.reference_point();
    for (std::size_t i = 0; i < constraint_count(problem); ++i)
        goals.constraints.push_back({constraint_name(i), Relation::at_most, 0});
    return goals;
}

Outcome evaluate(const Problem& problem, const Candidate& candidate) {
    const Evaluation evaluation = problem.evaluate(candidate.genome, candidate.epochs);
    Outcome outcome;
    outcome.id = candidate.id;
    for (std::size_t i = 0; i < evaluation.objectives.size(); ++i)
        outcome.metrics[problem.objective_names()[i]] = evaluation.objectives[i];
    for (std::size_t i = 0; i < evaluation.constraints.size(); ++i)
        outcome.metrics[constraint_name(i)] = evaluation.constraints[i];
    return outcome;
}

}  // namespace edgeloop
