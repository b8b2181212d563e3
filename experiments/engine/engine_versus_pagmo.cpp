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
#include <string>
#include <vector>

#include <fmt/format.h>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>

namespace {

using namespace edgeloop;

constexpr std::size_t population_size = 100;
constexpr std::uint64_t evaluations = 25000;

struct PagmoProblem {
    std::string name = "zdt1";
    [[nodiscard]] pagmo::vector_double fitness(const pagmo::vector_double& genes) const {
        return problem().evaluate({genes}).objectives;
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

double run_pagmo(const Problem& problem, unsigned seed) {
    const VariationSettings settings;
    const auto variables = static_cast<double>(problem.space().variables().size());
    const unsigned generations = evaluations / population_size - 1;  // the first is sampled
    pagmo::nsga2 algorithm(generations, settings.crossover_probability, settings.crossover_eta,
                           1 / variables, settings.mutation_eta, seed);
    PagmoProblem adapted;
    adapted.name = problem.name();
    const pagmo::population last = algorithm.evolve(
        pagmo::population(pagmo::problem(std::move(adapted)), population_size, seed));
    return hypervolume(last.get_f(), problem.reference_point());
}

double run_edgeloop(const Problem& problem, unsigned seed) {
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
        completed.status = outcome.status;
        completed.metrics = outcome.metrics;
        engine->tell(completed);
    }
    std::vector<std::vector<double>> points;
    for (const Individual& member : engine->state().population.individuals())
        points.push_back(member.objectives);
    return hypervolume(points, problem.reference_point());
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
    return fmt::format("{:.4f} ({:.4f}-{:.4f})", q.median, q.low, q.high);
}

void compare(const std::string& name, unsigned seeds) {
    const Problem problem = find_problem(name);
    std::vector<double> ours, theirs;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        ours.push_back(run_edgeloop(problem, seed));
        theirs.push_back(run_pagmo(problem, seed));
    }
    const Quartiles a = quartiles(ours), b = quartiles(theirs);
    fmt::print("| {} | {} | {} | {} |\n", name, cell(a), cell(b),
               b.median > 0 ? fmt::format("{:.2f} %", 100 * a.median / b.median) : "-");
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const unsigned seeds = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 11;
        std::vector<std::string> names(argv + std::min(argc, 2), argv + argc);
        if (names.empty())
            names = {"zdt1",  "zdt2",  "zdt3",  "zdt4",  "zdt6",
                     "dtlz1", "dtlz2", "dtlz3", "dtlz4", "dtlz7"};
        fmt::print(
            "| problem | edgeloop | pagmo2 | ratio of medians |\n| --- | --- | --- | --- |\n");
        for (const std::string& name : names) compare(name, seeds);
        return 0;
    } catch (const Error& error) {
        fmt::print(stderr, "{}\n", error.what());
        return static_cast<int>(error.exit_code());
    }
}
