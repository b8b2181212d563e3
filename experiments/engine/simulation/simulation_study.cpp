// Engines on a virtual clock: how busy W workers are kept, and how long each engine takes to reach
// the same hypervolume, with log-normal training times. Prints the tables of README.md.
//
//   simulation_study [seeds [workers...]]

#include "edgeloop/core/program.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/search/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double sigma = 1;                   // of the logarithm of training times; their mean is 1
constexpr std::size_t samples_a_curve = 400;  // hypervolume is taken so often
constexpr double target = 0.99;               // of the hypervolume with which generational ends
constexpr double shown_shares[] = {0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1};

struct Sample {
    double time = 0, hypervolume = 0;
};

struct Run {
    double utilisation = 0;
    std::vector<Sample> curve;
};

/// Listens to a run and samples the hypervolume of its archive.
class CurveStore : public NullRunStore {
  public:
    CurveStore(const VirtualClock& clock, const Engine& engine)
        : clock_(clock),
          engine_(engine),
          every_(std::max<std::uint64_t>(1, engine.settings().evaluations / samples_a_curve)) {}

    // A commit follows each turn of the loop in which something was told.
    void commit() override {
        if (engine_.state().told < next_) return;
        next_ = engine_.state().told + every_;
        curve.push_back({clock_.now(), hypervolume(engine_.state().archive.points(),
                                                   engine_.settings().goals.reference)});
    }

    std::vector<Sample> curve;

  private:
    const VirtualClock& clock_;
    const Engine& engine_;
    std::uint64_t every_, next_ = 0;
};

Run simulate(const Problem& problem, EngineKind kind, std::size_t workers, std::size_t population,
             std::uint64_t evaluations, std::uint64_t seed) {
    EngineSettings settings;
    settings.kind = kind;
    settings.seed = seed;
    settings.population = population;
    settings.evaluations = evaluations;
    settings.goals = goals_of(problem);
    settings.analytic = true;
    const auto engine = make_engine(problem.space(), settings);
    VirtualClock clock;
    const DurationModel durations{1, sigma, seed};
    SimulatedEvaluator evaluator(clock, workers, [&](const Candidate& candidate) {
        Outcome outcome = evaluate(problem, candidate);
        outcome.seconds = durations.draw("training", candidate);
        return outcome;
    });
    CurveStore store(clock, *engine);
    SearchOptions options;
    options.clock = &clock;
    options.status_seconds = INFINITY;
    (void)run_search(*engine, evaluator, nullptr, store, options);
    return {evaluator.machines().utilisation(), std::move(store.curve)};
}

double time_to_reach(const Run& run, double hypervolume) {
    for (const Sample& sample : run.curve)
        if (sample.hypervolume >= hypervolume) return sample.time;
    return INFINITY;
}

double hypervolume_at(const Run& run, double time) {
    double reached = 0;
    for (const Sample& sample : run.curve)
        if (sample.time <= time) reached = sample.hypervolume;
    return reached;
}

/// Both engines on one problem, once for each seed.
struct Comparison {
    std::vector<Run> generational, steady;

    template <class Measure>
    [[nodiscard]] double median_of(Measure measure) const {
        std::vector<double> values;
        for (std::size_t i = 0; i < steady.size(); ++i)
            values.push_back(measure(generational[i], steady[i]));
        return median(std::move(values));
    }
    /// The same of values that may be infinite: that seed's in the middle.
    template <class Measure>
    [[nodiscard]] double middle_of(Measure measure) const {
        std::vector<double> values;
        for (std::size_t i = 0; i < steady.size(); ++i)
            values.push_back(measure(generational[i], steady[i]));
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    }
};

// Large enough a population that steady-state's parents are not all stale, and enough generations
// for the problem to be well under way.
struct Size {
    std::size_t population;
    std::uint64_t evaluations;
};

Size size_for(std::size_t workers) {
    const std::size_t population = std::max<std::size_t>(100, workers);
    return {population, population * (workers > 1000 ? 40 : 150)};
}

Comparison compare(const Problem& problem, std::size_t workers, std::uint64_t seeds) {
    const Size size = size_for(workers);
    Comparison comparison;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        comparison.generational.push_back(simulate(problem, EngineKind::generational, workers,
                                                   size.population, size.evaluations, seed));
        comparison.steady.push_back(simulate(problem, EngineKind::steady_state, workers,
                                             size.population, size.evaluations, seed));
    }
    return comparison;
}

void print_summary(const Problem& problem, std::size_t workers, const Comparison& comparison) {
    const Size size = size_for(workers);
    const auto end_of = [](const Run& run) { return run.curve.back().hypervolume; };
    const double share = comparison.middle_of([&](const Run& generational, const Run& steady) {
        const double wanted = target * end_of(generational);
        if (wanted <= 0)
            return double(INFINITY);  // nothing was reached that could be reached sooner
        return time_to_reach(steady, wanted) / time_to_reach(generational, wanted);
    });
    fmt::print(
        "| {} | {} | {} | {} | {:.1f} % | {:.1f} % | {:.4f} | {:.4f} | {} |\n", problem.name(),
        workers, size.population, size.evaluations,
        100 * comparison.median_of([](const Run& run, const Run&) { return run.utilisation; }),
        100 * comparison.median_of([](const Run&, const Run& run) { return run.utilisation; }),
        comparison.median_of([&](const Run& run, const Run&) { return end_of(run); }),
        comparison.median_of([&](const Run&, const Run& run) { return end_of(run); }),
        std::isinf(share) ? "never" : fmt::format("{:.0f} %", 100 * share));
}

void print_curves(const Comparison& comparison, std::string& rows, const std::string& title) {
    for (const bool steady : {false, true}) {
        rows += fmt::format("| {} {} |", title, steady ? "steady-state" : "generational");
        for (const double share : shown_shares)
            rows += fmt::format(
                " {:.4f} |", comparison.median_of([&](const Run& generational, const Run& other) {
                    return hypervolume_at(steady ? other : generational,
                                          share * generational.curve.back().time);
                }));
        rows += "\n";
    }
}

int study(std::uint64_t seeds, const std::vector<std::size_t>& worker_counts) {
    std::string curves = "\n| hypervolume after this share of generational's time |";
    for (const double share : shown_shares) curves += fmt::format(" {:.0f} % |", 100 * share);
    curves += "\n| --- |";
    for (std::size_t i = 0; i < std::size(shown_shares); ++i) curves += " --- |";
    curves += "\n";
    fmt::print(
        "| problem | workers | population | evaluations | generational busy | steady-state busy "
        "| generational ends at | steady-state ends at | its time to 99 % of generational's end |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (const char* name : {"zdt1", "zdt4"})
        for (const std::size_t workers : worker_counts) {
            const Problem problem = find_problem(name);
            const Comparison comparison = compare(problem, workers, seeds);
            print_summary(problem, workers, comparison);
            print_curves(comparison, curves, fmt::format("{}, {} workers,", name, workers));
            std::fflush(stdout);
        }
    fmt::print("{}", curves);
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] {
        const std::vector<std::string> arguments(argv + 1, argv + argc);
        std::vector<std::size_t> workers;
        for (std::size_t i = 1; i < arguments.size(); ++i)
            workers.push_back(std::stoul(arguments[i]));
        if (workers.empty()) workers = {16, 64, 4096};
        return edgeloop::study(arguments.empty() ? 3 : std::stoul(arguments[0]), workers);
    });
}
