// The model-based engine where it has no home advantage, and what a proposal costs. See README.md.
//
//   model_study problems [SEEDS]     hypervolume on analytic problems beside the plain engine
//   model_study proposals            milliseconds of a proposal, by the number of results
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/evolution/problems.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/search/engine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t evaluations = 500;

CompletedCandidate evaluated(const Problem& problem, const Candidate& candidate) {
    CompletedCandidate completed;
    completed.candidate = candidate;
    completed.metrics = evaluate(problem, candidate).metrics;
    return completed;
}

double reached(const Problem& problem, EngineKind kind, std::uint64_t seed) {
    EngineSettings settings;
    settings.kind = kind;
    settings.seed = seed;
    settings.evaluations = evaluations;
    settings.goals = goals_of(problem);
    settings.analytic = true;
    const auto engine = make_engine(problem.space(), settings);
    while (const auto candidate = engine->ask()) engine->tell(evaluated(problem, *candidate));
    return hypervolume(engine->state().archive.points(), problem.reference_point());
}

void study_problems(std::uint64_t seeds) {
    std::printf("problem\tgenerational\tmodel-based\tahead\tseeds\n");
    for (const char* name : {"zdt1", "zdt2", "zdt3", "zdt4", "zdt6", "dtlz2", "dtlz7"}) {
        const Problem problem = find_problem(name);
        std::vector<double> plain, model;
        std::uint64_t ahead = 0;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            plain.push_back(reached(problem, EngineKind::generational, seed));
            model.push_back(reached(problem, EngineKind::model_based, seed));
            ahead += model.back() >= plain.back() ? 1 : 0;
        }
        fmt::print("{}\t{:.5g}\t{:.5g}\t{}\t{}\n", name, median(plain), median(model), ahead,
                   seeds);
        std::fflush(stdout);
    }
}

/// Sixteen genes of all kinds.
SearchSpace wide_space() {
    std::vector<Variable> genes;
    for (int i = 0; i < 16; ++i) {
        Variable gene;
        gene.name = fmt::format("gene{}", i);
        constexpr GeneKind kinds[] = {GeneKind::categorical, GeneKind::ordinal, GeneKind::integer,
                                      GeneKind::real};
        gene.kind = kinds[i % 4];
        if (gene.traits().has_choices) gene.choices = {1, 2, 4, 8, 16};
        gene.upper = 8;
        genes.push_back(std::move(gene));
    }
    return SearchSpace::of_genes("wide", std::move(genes));
}

CompletedCandidate made_up(const Candidate& candidate) {
    CompletedCandidate completed;
    completed.candidate = candidate;
    double work = 0, error = 0;
    for (std::size_t i = 0; i < 16; ++i) {
        const double gene = candidate.genome.genes[i];
        work += gene * double(i % 5 + 1);
        error += (gene - double(i % 3)) * (gene - double(i % 3)) / double(i + 1);
    }
    completed.settled = {{"latency_ms", 0.1 + work / 50}};
    completed.metrics = completed.settled;
    completed.metrics["val_rmse"] = 0.1 + error / 100 + 1 / (1 + work);
    return completed;
}

void study_proposals() {
    std::printf("results\tmedian_ms\tslowest_of_20_ms\ttell_ms\n");
    const SearchSpace space = wide_space();
    for (const std::uint64_t results : {100, 300, 1000, 3000, 10000}) {
        EngineSettings settings;
        settings.kind = EngineKind::model_based;
        settings.evaluations = 2 * results;
        settings.goals.objectives = {"val_rmse", "latency_ms"};
        settings.goals.reference = {10, 20};
        settings.analytic = true;
        // Random designs, so that getting there takes no time; the engine then goes on from them.
        EngineSettings sampled = settings;
        sampled.kind = EngineKind::random;
        const auto before = make_engine(space, sampled);
        EngineState state = make_engine(space, settings)->state();
        for (std::uint64_t i = 0; i < results; ++i) {
            const CompletedCandidate completed = made_up(*before->ask());
            before->tell(completed);
            state.model.results.push_back(
                {completed.candidate.id, completed.candidate.genome, 0, completed.metrics, 1});
        }
        ModelState model = std::move(state.model);
        state = before->state();
        state.model = std::move(model);
        const auto engine = make_engine(space, settings);
        engine->restore(std::move(state));
        std::vector<double> asking, telling;
        for (int i = 0; i < 21; ++i) {
            double start = steady_seconds();
            const auto candidate = engine->ask();
            asking.push_back(1000 * (steady_seconds() - start));
            const CompletedCandidate completed = made_up(candidate.value());
            start = steady_seconds();
            engine->tell(completed);
            telling.push_back(1000 * (steady_seconds() - start));
        }
        // The first is asked before anything was fitted.
        asking.erase(asking.begin());
        fmt::print("{}\t{:.3g}\t{:.3g}\t{:.3g}\n", results, median(asking),
                   *std::max_element(asking.begin(), asking.end()), median(telling));
        std::fflush(stdout);
    }
}

int run(int argc, const char* const* argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "problems")
        study_problems(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 11);
    else if (what == "proposals")
        study_proposals();
    else
        throw ConfigError("what is to be studied?", {}, "say problems or proposals");
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::run(argc, argv); });
}
