#include "table_search.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/search/simulation.hpp"
#include "edgeloop/table/outcomes.hpp"

#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <utility>
#include <variant>

namespace edgeloop {
namespace {

/// Hypervolume of a growing set of points with two objectives.
class Front {
  public:
    explicit Front(const std::pair<double, double>& reference) : reference_(reference) {}

    void add(double x, double y) {
        if (x >= reference_.first || y >= reference_.second) return;
        auto next = steps_.upper_bound(x);
        if (next != steps_.begin() && std::prev(next)->second <= y) return;
        // From here to the right it lowers the staircase, up to where that is as low already.
        double left = x,
               height = next == steps_.begin() ? reference_.second : std::prev(next)->second;
        if (next != steps_.begin() && std::prev(next)->first == x)
            next = steps_.erase(std::prev(next));
        while (next != steps_.end() && next->second >= y) {
            volume_ += (next->first - left) * (height - y);
            left = next->first;
            height = next->second;
            next = steps_.erase(next);
        }
        volume_ += ((next == steps_.end() ? reference_.first : next->first) - left) * (height - y);
        steps_.emplace_hint(next, x, y);
    }
    [[nodiscard]] double volume() const { return volume_; }

  private:
    std::pair<double, double> reference_;
    std::map<double, double> steps_;  ///< points that no other dominates
    double volume_ = 0;
};

/// Listens to a search: what it has spent and how near to the true front it is.
class Listener : public NullRunStore {
  public:
    Listener(const TableProblem& problem, const TableSearch& settings, const VirtualClock& clock)
        : problem_(problem), settings_(settings), clock_(clock), front_(problem.reference) {
        course_.reached.resize(std::size(targets));
    }

    void record(const Event& event) override {
        if (const auto* told = std::get_if<Told>(&event)) learn(told->completed);
    }
    [[nodiscard]] double share() const { return front_.volume() / problem_.true_volume; }
    /// A search that ended before its budget, with no design left, stays where it is.
    [[nodiscard]] Course finished() {
        if (!(share() >= settings_.until)) look_until(static_cast<double>(settings_.evaluations));
        return std::move(course_);
    }

  private:
    void learn(const CompletedCandidate& completed) {
        epochs_ += epochs_to_train(completed.candidate);
        const std::vector<int>& rungs = settings_.rungs;
        const double evaluations = epochs_ / (rungs.empty() ? 1 : rungs.back());
        look_until(std::nextafter(evaluations, 0));
        const bool full = rungs.empty() || completed.candidate.epochs == rungs.back();
        if (full && completed.status == Status::completed)
            front_.add(completed.metrics.at(problem_.error),
                       completed.metrics.at(problem_.latency));
        look_until(evaluations);
        course_.end = {evaluations, clock_.now()};
        for (std::size_t i = 0; i < std::size(targets); ++i)
            if (!course_.reached[i] && share() >= targets[i]) course_.reached[i] = course_.end;
    }

    void look_until(double evaluations) {
        for (std::size_t& i = looked_;
             i < std::size(looked_at) && static_cast<double>(looked_at[i]) <= evaluations; ++i)
            course_.shares.push_back(share());
    }

    const TableProblem& problem_;
    const TableSearch& settings_;
    const VirtualClock& clock_;
    Front front_;
    Course course_;
    std::size_t looked_ = 0;
    double epochs_ = 0;
};

EngineSettings engine_settings(const TableProblem& problem, const EngineChoice& choice,
                               std::uint64_t seed, const TableSearch& settings) {
    EngineSettings made;
    made.seed = seed;
    made.population = settings.population;
    made.evaluations = settings.evaluations;
    made.goals.objectives = {problem.error, problem.latency};
    made.goals.reference = {problem.reference.first, problem.reference.second};
    made.analytic = true;
    if (!settings.rungs.empty()) {
        made.ladder.epochs = settings.rungs;
        made.evaluations = no_limit;
        made.budget.unit = Budget::Unit::epochs;
        made.budget.amount = static_cast<double>(settings.evaluations) * settings.rungs.back();
    }
    choice.settle(made);
    return made;
}

/// In units of a training with all epochs.
double training_time(const Candidate& candidate, const TableSearch& settings) {
    const double part =
        settings.rungs.empty() ? 1 : epochs_to_train(candidate) / settings.rungs.back();
    return part * time_factor(candidate, settings.sigma);
}

}  // namespace

Course search_table(const TableProblem& problem, const EngineChoice& choice, std::uint64_t seed,
                    std::size_t workers, const TableSearch& settings) {
    const DesignTable& table = *problem.table;
    // The latency is what is known before a candidate trains.
    const auto engine = make_engine(
        table.space(), engine_settings(problem, choice, seed, settings),
        [&](const Candidate& candidate) {
            const auto row = table.find(candidate.genome);
            return row ? Metrics{{problem.latency, table.value(*row, problem.latency_column)}}
                       : Metrics();
        });
    VirtualClock clock;
    SimulatedEvaluator evaluator(clock, workers, [&](const Candidate& candidate) {
        Outcome outcome = trained_by(table, candidate);
        outcome.seconds = training_time(candidate, settings);
        return outcome;
    });
    Listener listener(problem, settings, clock);
    SearchOptions options;
    options.clock = &clock;
    options.status_seconds = options.snapshot_seconds = options.table_seconds = INFINITY;
    options.should_stop = [&] { return listener.share() >= settings.until; };
    try {
        (void)run_search(*engine, evaluator, nullptr, listener, options);
    } catch (const Stopped&) {  // near enough
    }
    const EngineState& state = engine->state();
    const double volume =
        hypervolume(state.archive.points(), {problem.reference.first, problem.reference.second});
    EDGELOOP_EXPECT(std::abs(volume / problem.true_volume - listener.share()) <= 1e-9,
                    "the hypervolume of the archive is not the sum of its steps");
    Course course = listener.finished();
    if (state.model.intervals > 0)
        course.held =
            static_cast<double>(state.model.held) / static_cast<double>(state.model.intervals);
    return course;
}

}  // namespace edgeloop
