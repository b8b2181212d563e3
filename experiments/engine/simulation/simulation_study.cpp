// Engines on a virtual clock: how busy W workers are kept, and how long each engine takes to reach
// the same hypervolume, with log-normal training times. Prints the tables of README.md.
//
//   simulation_study [seeds] [largest number of workers]

#include "edgeloop/core/program.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/search/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double sigma = 1;                   // of the logarithm of training times; their mean is 1
constexpr std::size_t samples_a_curve = 400;  // hypervolume is taken so often

struct Sample {
    double time = 0, hypervolume = 0;
};

struct Run {
    double utilisation = 0;
    std::vector<Sample> curve;
};

/// Listens to a run and samples the hypervolume of its population.
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
        std::vector<std::vector<double>> points;
        for (const Individual& each : engine_.state().population.individuals())
            points.push_back(each.objectives);
        curve.push_back({clock_.now(), hypervolume(points, engine_.settings().goals.reference)});
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

double time_to_reach(const Run& run, double target) {
    for (const Sample& sample : run.curve)
        if (sample.hypervolume >= target) return sample.time;
    return INFINITY;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// One row: population of generational as large as the workers need, and the same for steady-state.
void compare(const Problem& problem, std::size_t workers, std::uint64_t seeds) {
    const std::size_t population = std::max<std::size_t>(100, workers);
    const std::uint64_t evaluations = population * (workers > 1000 ? 40 : 150);
    std::vector<double> busy_generational, busy_steady, share;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const Run generational =
            simulate(problem, EngineKind::generational, workers, population, evaluations, seed);
        const Run steady =
            simulate(problem, EngineKind::steady_state, workers, population, evaluations, seed);
        busy_generational.push_back(generational.utilisation);
        busy_steady.push_back(steady.utilisation);
        const Sample& end = generational.curve.back();
        share.push_back(time_to_reach(steady, end.hypervolume) / end.time);
        if (seed > 1) continue;
        for (const Run* run : {&generational, &steady})
            for (std::size_t i = 0; i < run->curve.size(); i += run->curve.size() / 20 + 1)
                fmt::print(stderr, "{},{},{},{:.3f},{:.5f}\n", problem.name(), workers,
                           run == &steady ? "steady-state" : "generational", run->curve[i].time,
                           run->curve[i].hypervolume);
    }
    fmt::print("| {} | {} | {} | {} | {:.1f} % | {:.1f} % | {:.0f} % |\n", problem.name(), workers,
               population, evaluations, 100 * median(busy_generational), 100 * median(busy_steady),
               100 * median(share));
    std::fflush(stdout);
}

int study(std::uint64_t seeds, std::size_t most_workers) {
    fmt::print(
        "| problem | workers | population | evaluations | generational busy | steady-state busy "
        "| its time to generational's final hypervolume |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n");
    for (const char* name : {"zdt1", "zdt4"})
        for (std::size_t workers = 16; workers <= most_workers; workers *= 4)
            compare(find_problem(name), workers,
                    workers > 1000 ? std::min<std::uint64_t>(seeds, 3) : seeds);
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] {
        return edgeloop::study(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 11,
                               argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 4096);
    });
}
