#pragma once

#include "edgeloop/search/engine.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop::test {

/// Box [0,1]^n.
inline SearchSpace unit_box(std::size_t dimensions) {
    return SearchSpace::box(std::vector<double>(dimensions, 0.0),
                            std::vector<double>(dimensions, 1.0));
}

/// For the names of tests.
inline std::string name_of(EngineKind kind) {
    switch (kind) {
        case EngineKind::generational:
            return "generational";
        case EngineKind::steady_state:
            return "steady_state";
        case EngineKind::random:
            return "random";
        case EngineKind::model_based:
            return "model_based";
    }
    return "unknown";
}

/// Settings for two objectives f1, f2 over a box.
inline EngineSettings box_settings(EngineKind kind, std::size_t population,
                                   std::uint64_t evaluations, std::uint64_t seed = 1) {
    EngineSettings settings;
    settings.kind = kind;
    settings.seed = seed;
    settings.population = population;
    settings.evaluations = evaluations;
    settings.goals.objectives = {"f1", "f2"};
    settings.analytic = true;
    return settings;
}

/// ZDT1: a convex front, known to everyone.
inline Metrics zdt1(const Genome& genome) {
    double sum = 0;
    for (std::size_t i = 1; i < genome.genes.size(); ++i) sum += genome.genes[i];
    const double g =
        1 + 9 * sum / static_cast<double>(std::max<std::size_t>(genome.genes.size() - 1, 1));
    return {{"f1", genome.genes[0]}, {"f2", g * (1 - std::sqrt(genome.genes[0] / g))}};
}

inline CompletedCandidate complete(const Candidate& candidate, Metrics metrics) {
    CompletedCandidate completed;
    completed.candidate = candidate;
    completed.metrics = std::move(metrics);
    return completed;
}

/// Asks for a population's worth or until nothing comes, then tells in the order `arrange` gives,
/// until the engine has finished. Returns everything proposed, in asking order.
inline std::vector<Candidate> drive(
    Engine& engine, const std::function<CompletedCandidate(const Candidate&)>& evaluate,
    const std::function<void(std::vector<Candidate>&)>& arrange = {}) {
    std::vector<Candidate> all;
    while (!engine.finished()) {
        std::vector<Candidate> batch;
        while (batch.size() < engine.settings().population) {
            const std::optional<Candidate> candidate = engine.ask();
            if (!candidate) break;
            batch.push_back(*candidate);
        }
        all.insert(all.end(), batch.begin(), batch.end());
        if (arrange) arrange(batch);
        for (const Candidate& candidate : batch) engine.tell(evaluate(candidate));
    }
    return all;
}

}  // namespace edgeloop::test
