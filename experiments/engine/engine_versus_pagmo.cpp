// Final hypervolume of edgeloop's generational engine and of pagmo2's NSGA-II on test problems,
// with the same population, evaluations and variation settings.
//
//   engine_versus_pagmo [SEEDS [PROBLEM...]]

#include "edgeloop/core/error.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/evolution/problems.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/search/engine.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <pagmo/problems/unconstrain.hpp>

namespace {

using namespace edgeloop;

constexpr std::size_t population_size = 100;
constexpr std::uint64_t evaluations = 25000;

struct PagmoProblem {
    std::string name = "zdt1";
    /// Objectives, then constraints, which pagmo takes as broken above 0 like we do.
    [[nodiscard]] pagmo::vector_double fitness(const pagmo::vector_double& genes) const {
        Evaluation evaluation = problem().evaluate({genes});
        pagmo::vector_double values = std::move(evaluation.objectives);
        values.insert(values.end(), evaluation.constraints.begin(), evaluation.constraints.end());
        return values;
    }
    [[nodiscard]] pagmo::vector_double::size_type get_nic() const {
        return goals_of(problem()).constraints.size();
    }
    [[nodiscard]] pagmo::vector_double::size_type get_nobj() const {
        return problem().objective_count();
    }
    [[nodiscard]] std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const {
        std::pair<pagmo::vector_double, pagmo::vector_double> bounds;
        for (const Variable& variable : problem().space().variables()) {
            bounds.first.push_back(variable.lower);
            bounds.second.push_back(variable.upper);
        }
        return bounds;
    }

  private:
    [[nodiscard]] const Problem& problem() const {
        if (!problem_) problem_ = std::make_shared<const Problem>(find_problem(name));
        return *problem_;
    }
    mutable std::shared_ptr<const Problem> problem_;
};

/// What is left of a search: hypervolume of the feasible members of the last population, and how
/// many those are.
struct Final {
    double hypervolume;
    std::size_t feasible;
};

Final judge(const Problem& problem, const std::vector<Genome>& population) {
    std::vector<std::vector<double>> points;
    for (const Genome& genome : population) {
        const Evaluation evaluation = problem.evaluate(genome);
        if (total_violation(evaluation) == 0) points.push_back(evaluation.objectives);
    }
    return {hypervolume(points, problem.reference_point()), points.size()};
}

/// pagmo2's NSGA-II knows no constraints; its wrapper "unconstrain" gives infeasible points
/// penalised objectives (Kuri's method).
Final run_pagmo(const Problem& problem, unsigned seed) {
    const VariationSettings settings;
    const auto variables = static_cast<double>(problem.space().variables().size());
    const unsigned generations = evaluations / population_size - 1;  // the first is sampled
    pagmo::nsga2 algorithm(generations, settings.crossover_probability, settings.crossover_eta,
                           1 / variables, settings.mutation_eta, seed);
    PagmoProblem adapted;
    adapted.name = problem.name();
    pagmo::problem peer(std::move(adapted));
    if (peer.get_nic() > 0) peer = pagmo::problem(pagmo::unconstrain(peer, "kuri"));
    std::vector<Genome> genomes;
    const pagmo::population last = algorithm.evolve(pagmo::population(peer, population_size, seed));
    for (const auto& genes : last.get_x()) genomes.push_back({genes});
    return judge(problem, genomes);
}

Final run_edgeloop(const Problem& problem, unsigned seed) {
    EngineSettings settings;
    settings.seed = seed;
    settings.population = population_size;
    settings.evaluations = evaluations;
    settings.goals = goals_of(problem);
    settings.analytic = true;
    const auto engine = make_engine(problem.space(), settings);
    while (const auto candidate = engine->ask()) {
        const Outcome outcome = evaluate(problem, *candidate);
        CompletedCandidate completed;
        completed.candidate = *candidate;
        completed.metrics = outcome.metrics;
        completed.status =
            settings.goals.broken(outcome.metrics) ? Status::infeasible : Status::completed;
        engine->tell(completed);
    }
    std::vector<Genome> genomes;
    for (const Individual& member : engine->state().population.individuals())
        genomes.push_back(member.genome);
    return judge(problem, genomes);
}

struct Quartiles {
    double low, median, high;
};

Quartiles quartiles(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t last = values.size() - 1;
    return {values[last / 4], values[last / 2], values[last - last / 4]};
}

std::string cell(const Quartiles& q) {
    return fmt::format("{:.5g} ({:.5g} to {:.5g})", q.median, q.low, q.high);
}

void compare(const std::string& name, unsigned seeds) {
    const Problem problem = find_problem(name);
    std::vector<double> ours, theirs;
    std::size_t our_feasible = population_size, their_feasible = population_size;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        const Final mine = run_edgeloop(problem, seed), peers = run_pagmo(problem, seed);
        ours.push_back(mine.hypervolume);
        theirs.push_back(peers.hypervolume);
        our_feasible = std::min(our_feasible, mine.feasible);
        their_feasible = std::min(their_feasible, peers.feasible);
    }
    const Quartiles a = quartiles(ours), b = quartiles(theirs);
    fmt::print("| {} | {} | {} | {} | {} / {} |\n", name, cell(a), cell(b),
               b.median > 0 ? fmt::format("{:.2f} %", 100 * a.median / b.median) : "-",
               our_feasible, their_feasible);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const unsigned seeds = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 11;
        std::vector<std::string> names(argv + std::min(argc, 2), argv + argc);
        if (names.empty())
            names = {"zdt1",  "zdt2",  "zdt3",  "zdt4", "zdt6", "dtlz1", "dtlz2",
                     "dtlz3", "dtlz4", "dtlz7", "bnh",  "srn",  "tnk",   "osy"};
        fmt::print(
            "| problem | edgeloop | pagmo2 | ratio of medians | least feasible of 100 |\n"
            "| --- | --- | --- | --- | --- |\n");
        for (const std::string& name : names) compare(name, seeds);
        return 0;
    } catch (const Error& error) {
        fmt::print(stderr, "{}\n", error.what());
        return static_cast<int>(error.exit_code());
    }
}
