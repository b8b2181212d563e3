// How much training rungs and latency pruning save on the problem nas-table, and whether the engine
// beats random sampling. Prints the table of README.md.
//
//   nas_table_study [seeds]

#include "support/serial_evaluator.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/evolution/nas_table.hpp"
#include "edgeloop/evolution/problems.hpp"
#include "edgeloop/search/coordinator.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t plain_budget = 512;    // full trainings
constexpr std::uint64_t ladder_budget = 2048;  // candidates that begin on the first rung
constexpr std::uint64_t model_budget = 1000;   // the same where a model chooses them
constexpr std::size_t children = 30;           // of which a model chooses one
constexpr std::size_t population = 32;

struct Variant {
    std::string name;
    EngineKind kind = EngineKind::generational;
    bool rungs = false;
    bool pruning = false;   ///< by latency, and on the rungs
    bool model = false;     ///< a quadratic one, of the results so far
    std::size_t plain = 1;  ///< variant whose final hypervolume is to be reached
};

/// Hypervolume of the fully trained designs so far, over training seconds spent.
struct Point {
    double cost = 0, hypervolume = 0;
};
using Curve = std::vector<Point>;

/// Listens to a run and draws its curve.
class CurveStore : public NullRunStore {
  public:
    void record(const Event& event) override {
        const Told* told = std::get_if<Told>(&event);
        if (!told) return;
        const CompletedCandidate& completed = told->completed;
        cost_ += completed.training_seconds;
        const bool full = completed.candidate.epochs == NasTable::full_epochs;
        if (completed.status == Status::completed && full) {
            points_.push_back(
                {completed.metrics.at("val_rmse"), completed.metrics.at("latency_ms")});
            volume_ = hypervolume(points_, reference_);
        }
        curve.push_back({cost_, volume_});
    }

    Curve curve;

  private:
    const std::vector<double> reference_ = find_problem("nas-table").reference_point();
    std::vector<std::vector<double>> points_;
    double cost_ = 0, volume_ = 0;
};

Outcome train(const NasTable& table, const Candidate& candidate) {
    const NasTable::Result result = table.look_up(candidate.genome, candidate.epochs);
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["val_rmse"] = result.val_rmse;
    outcome.seconds = result.training_seconds;
    if (candidate.trained_epochs > 0)
        outcome.seconds -=
            table.look_up(candidate.genome, candidate.trained_epochs).training_seconds;
    return outcome;
}

Outcome measure(const NasTable& table, const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["latency_ms"] = table.look_up(candidate.genome).latency_ms;
    return outcome;
}

/// FLOPs of a design, known before it is trained; the unit does not matter.
Metrics count_flops(const NasTable& table, const Candidate& candidate) {
    return {{"flops", table.look_up(candidate.genome, 1).training_seconds}};
}

Curve run(const NasTable& table, const Variant& variant, std::uint64_t seed) {
    EngineSettings settings;
    settings.kind = variant.kind;
    settings.seed = seed;
    settings.population = population;
    settings.evaluations = variant.rungs ? ladder_budget : plain_budget;
    settings.epochs = NasTable::full_epochs;
    settings.goals.objectives = {"val_rmse", "latency_ms"};
    settings.goals.reference = find_problem("nas-table").reference_point();
    if (variant.rungs) settings.ladder = {{6, NasTable::full_epochs}, 2};
    if (variant.model) settings.surrogate.children = children;
    if (variant.rungs && (variant.model || variant.kind == EngineKind::model_based))
        settings.evaluations = model_budget;
    settings.pruning.dominated = variant.pruning;
    const auto engine = make_engine(table.space(), settings, [&](const Candidate& candidate) {
        return count_flops(table, candidate);
    });
    SerialEvaluator evaluator([&](const Candidate& candidate) { return train(table, candidate); });
    ImmediateProbe probe([&](const Candidate& candidate) { return measure(table, candidate); },
                         "table");
    CurveStore store;
    SearchOptions options;
    options.measure_first = true;
    (void)run_search(*engine, evaluator, &probe, store, options);
    return store.curve;
}

/// Value below which that share of the values lies.
double quantile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(
        std::lround(share * static_cast<double>(values.size() - 1)))];
}

std::string percent(double share) {
    return std::isinf(share) ? "never" : fmt::format("{:.0f} %", 100 * share);
}

/// What it cost to reach a hypervolume; infinity if it never did.
double cost_to_reach(const Curve& curve, double target) {
    for (const Point& point : curve)
        if (point.hypervolume >= target) return point.cost;
    return INFINITY;
}

/// One-sided Mann-Whitney U test that `a` tends to be larger, normal approximation.
double mann_whitney_p(const std::vector<double>& a, const std::vector<double>& b) {
    double u = 0;
    for (const double x : a)
        for (const double y : b) u += x > y ? 1 : x == y ? 0.5 : 0;
    const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
    const double z = (u - n * m / 2 - 0.5) / std::sqrt(n * m * (n + m + 1) / 12);
    return 0.5 * std::erfc(z / std::sqrt(2.0));
}

int study(std::uint64_t seeds) {
    const NasTable table;
    constexpr auto generational = EngineKind::generational, steady = EngineKind::steady_state,
                   model_based = EngineKind::model_based;
    const std::vector<Variant> variants = {
        {"random", EngineKind::random, false, false, false, 1},
        {"generational", generational, false, false, false, 1},
        {"steady-state", steady, false, false, false, 2},
        {"generational, rungs", generational, true, false, false, 1},
        {"generational, rungs, pruning", generational, true, true, false, 1},
        {"steady-state, rungs, pruning", steady, true, true, false, 2},
        {"generational, quadratic model", generational, false, false, true, 1},
        {"generational, quadratic model, rungs", generational, true, false, true, 1},
        {"generational, quadratic model, rungs, pruning", generational, true, true, true, 1},
        {"steady-state, quadratic model, rungs, pruning", steady, true, true, true, 2},
        {"model-based", model_based, false, false, false, 1},
        {"model-based, rungs", model_based, true, false, false, 1},
    };
    std::vector<std::vector<Curve>> curves(variants.size());
    for (std::size_t v = 0; v < variants.size(); ++v)
        for (std::uint64_t seed = 1; seed <= seeds; ++seed)
            curves[v].push_back(run(table, variants[v], seed));
    const auto finals = [&](std::size_t v) {
        std::vector<double> values;
        for (const Curve& curve : curves[v]) values.push_back(curve.back().hypervolume);
        return values;
    };
    fmt::print(
        "| engine | final hypervolume | cost to reach the plain engine's | p against random |\n"
        "| --- | --- | --- | --- |\n");
    for (std::size_t v = 0; v < variants.size(); ++v) {
        std::vector<double> shares;
        for (std::uint64_t s = 0; s < seeds; ++s) {
            const Curve& plain = curves[variants[v].plain][s];
            shares.push_back(cost_to_reach(curves[v][s], plain.back().hypervolume) /
                             plain.back().cost);
        }
        fmt::print("| {} | {:.2f} ({:.2f} to {:.2f}) | {} ({} to {}) | {:.1e} |\n",
                   variants[v].name, quantile(finals(v), 0.5), quantile(finals(v), 0.25),
                   quantile(finals(v), 0.75), percent(quantile(shares, 0.5)),
                   percent(quantile(shares, 0.25)), percent(quantile(shares, 0.75)),
                   mann_whitney_p(finals(v), finals(0)));
    }
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program(
        [&] { return edgeloop::study(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 21); });
}
