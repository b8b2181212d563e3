// How much training rungs, pruning and models save on the problem nas-table, and whether the
// engines beat random sampling. All have the same budget and the same seeds. Prints the table of
// README.md.
//
//   nas_table_study [seeds [first seed]]

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
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int full_trainings = 512;   // what each engine may spend, in epochs of these
constexpr std::size_t children = 30;  // of which the quadratic model chooses one
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
    settings.evaluations = no_limit;
    settings.budget.unit = Budget::Unit::epochs;
    settings.budget.amount = double(full_trainings) * NasTable::full_epochs;
    settings.epochs = NasTable::full_epochs;
    settings.goals.objectives = {"val_rmse", "latency_ms"};
    settings.goals.reference = find_problem("nas-table").reference_point();
    if (variant.rungs) settings.ladder = {{6, NasTable::full_epochs}, 2};
    if (variant.model) settings.surrogate.children = children;
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

std::string percent(double share) {
    return std::isinf(share) ? "never" : fmt::format("{:.0f} %", 100 * share);
}

/// What it cost to reach a hypervolume; infinity if it never did.
double cost_to_reach(const Curve& curve, double target) {
    for (const Point& point : curve)
        if (point.hypervolume >= target) return point.cost;
    return INFINITY;
}

/// Median and quartiles in parentheses, each as `text` puts it: order statistics, since infinities
/// have no mean.
template <class Text>
std::string quartiles(std::vector<double> values, const Text& text) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
        return text(values[std::size_t(std::lround(share * double(values.size() - 1)))]);
    };
    return fmt::format("{} ({} to {})", at(0.5), at(0.25), at(0.75));
}

/// Exact one-sided sign-flip test of the mean difference of paired values, for up to 24 pairs.
double sign_flip_p(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> differences(a.size());
    std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
    const std::uint32_t flips = 1U << differences.size();
    const auto sum = [&](std::uint32_t flipped) {
        double total = 0;
        for (std::size_t i = 0; i < differences.size(); ++i)
            total += (flipped >> i & 1U) != 0 ? -differences[i] : differences[i];
        return total;
    };
    const double observed = sum(0) - 1e-12;
    std::uint32_t as_large = 0;
    for (std::uint32_t flipped = 0; flipped < flips; ++flipped)
        if (sum(flipped) >= observed) ++as_large;
    return double(as_large) / double(flips);
}

int study(std::uint64_t seeds, std::uint64_t first) {
    EDGELOOP_EXPECT(seeds >= 1 && seeds <= 24, "1 to 24 seeds");
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
        for (std::uint64_t seed = first; seed < first + seeds; ++seed)
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
        fmt::print("| {} | {} | {} | {:.1e} |\n", variants[v].name,
                   quartiles(finals(v), [](double x) { return fmt::format("{:.2f}", x); }),
                   quartiles(shares, percent), sign_flip_p(finals(v), finals(0)));
    }
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    const auto number = [&](int at, std::uint64_t otherwise) {
        return argc > at ? std::strtoul(argv[at], nullptr, 10) : otherwise;
    };
    return edgeloop::run_program([&] { return edgeloop::study(number(1, 21), number(2, 10)); });
}
