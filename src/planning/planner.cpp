#include "edgeloop/planning/planner.hpp"

#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/search/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double memory_share_that_limits = 0.1;  // of designs that do not fit
constexpr std::uint64_t max_runs = 21;            // that are simulated for a group size

/// Another store, at a price in virtual time.
class PricedStore : public RunStore {
  public:
    PricedStore(RunStore& store, VirtualClock& clock, double seconds_an_event)
        : store_(store), clock_(clock), seconds_an_event_(seconds_an_event) {}

    [[nodiscard]] std::optional<Recovery> recover() override { return store_.recover(); }
    void record(const Event& event) override {
        ++events;
        clock_.spend(seconds_an_event_);
        store_.record(event);
    }
    void commit() override { store_.commit(); }
    void snapshot(const EngineState& engine,
                  const std::map<CandidateId, InFlight>& in_flight) override {
        store_.snapshot(engine, in_flight);
    }
    void publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                 bool tables) override {
        store_.publish(progress, front, tables);
    }

    std::uint64_t events = 0;

  private:
    RunStore& store_;
    VirtualClock& clock_;
    double seconds_an_event_;
};

Outcome outcome_of(const Candidate& candidate, double seconds,
                   const std::function<Metrics(const Candidate&)>& metrics) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.seconds = seconds;
    if (metrics) outcome.metrics = metrics(candidate);
    return outcome;
}

bool takes_less(const RunPrediction& a, const RunPrediction& b) { return a.seconds < b.seconds; }

/// A group size and what it leads to. Which designs a search breeds depends on errors that nobody
/// knows yet, and some cost many times what others do: so several runs are predicted, each with its
/// own scatter of errors.
struct Choice {
    int ranks_per_candidate = 1;
    PlanMachines machines;
    RunPrediction prediction;    ///< the one of median length
    double quick = 0, slow = 0;  ///< seconds of the quartiles, start included
};

int workers(const PlannedRun& run) { return run.ranks > 1 ? run.ranks - 1 : 1; }

class Planner {
  public:
    Planner(const PlannedRun& run, const Calibration& calibration)
        : run_(run), calibration_(calibration) {}

    [[nodiscard]] Json plan() const {
        const Choice asked = choose(run_.ranks_per_candidate);
        const std::vector<Choice> all = choices();
        const auto best = std::min_element(
            all.begin(), all.end(),
            [](const auto& a, const auto& b) { return takes_less(a.prediction, b.prediction); });
        const Bottleneck bottleneck =
            find_bottleneck(run_.make_engine, asked.machines, costs(asked.ranks_per_candidate));
        const bool memory = run_.unfit > memory_share_that_limits;
        const RunPrediction& run = asked.prediction;
        const double seconds = run_.start_up_seconds + run.seconds;
        Json json = {
            {"ranks", run_.ranks},
            {"cores", run_.machines.cores},
            {"ranks_per_candidate", asked.ranks_per_candidate},
            {"groups", asked.machines.groups},
            {"devices", run_.machines.devices},
            {"evaluations", run.designs},
            {"epochs", run.epochs},
            {"seconds", seconds},
            {"seconds_quartiles", {asked.quick, asked.slow}},
            {"hours", seconds / 3600},
            {"start_up_s", run_.start_up_seconds},
            {"trainings", run.trainings},
            {"training_s",
             run.trainings > 0 ? run.training_seconds / static_cast<double>(run.trainings) : 0},
            {"measuring_s", run_.measuring_seconds},
            {"dispatch_s", calibration_.dispatch_seconds},
            {"storing_s_per_event", run_.storing_seconds},
            {"groups_busy", run.groups_busy},
            {"devices_busy", run.devices_busy},
            {"bottleneck", memory ? "memory" : bottleneck.part},
            {"halving_it_saves", memory ? 0 : bottleneck.saves},
            {"designs_without_memory", run_.unfit},
            {"best_ranks_per_candidate", best->ranks_per_candidate},
            {"calibration_s", calibration_.seconds},
            {"calibration_trainings", calibration_.training.size()},
            {"calibration_trainings_s", calibration_.trainings_took},
            {"calibration_error", calibration_.training.relative_error()},
            {"calibration_cut_off", calibration_.given_up},
            {"measurements_timed", calibration_.measurements},
            {"measuring_assumed", run_.measuring_assumed},
            {"designs", calibration_.designs.size()},
            {"designs_not_timed", calibration_.not_timed()},
            {"extrapolated_flops",
             calibration_.max_flops() / std::max(1.0, calibration_.max_timed)}};
        for (const Choice& choice : all)
            json["group_sizes"].push_back(
                {{"ranks_per_candidate", choice.ranks_per_candidate},
                 {"groups", choice.machines.groups},
                 {"seconds", run_.start_up_seconds + choice.prediction.seconds},
                 {"groups_busy", choice.prediction.groups_busy}});
        return json;
    }

    [[nodiscard]] PlanMachines machines(int ranks_per_candidate) const {
        PlanMachines machines = run_.machines;
        machines.groups = static_cast<std::size_t>(workers(run_) / ranks_per_candidate);
        machines.cores_of_group = static_cast<double>(ranks_per_candidate) * run_.threads;
        return machines;
    }

    /// @param scatter  which of the scatters of errors.
    [[nodiscard]] PlanCosts costs(int ranks_per_candidate, std::uint64_t scatter = 0) const {
        PlanCosts costs;
        costs.training_seconds = [this, ranks_per_candidate](const Candidate& candidate) {
            const int epochs = candidate.epochs - candidate.trained_epochs;
            return calibration_.training.seconds(
                training_load(design_costs(candidate), run_.data, epochs, ranks_per_candidate));
        };
        costs.measuring_seconds = run_.measuring_seconds;
        costs.trained = [this, scatter, names = errors()](const Candidate& candidate) {
            return plausible_errors(names, candidate, scatter);
        };
        costs.measured = [this](const Candidate& candidate) {
            const double latency_ms = calibration_.latency_over_model.value_or(1) *
                                      analytic_latency_ms(candidate.design->spec(), DeviceModel{});
            Metrics metrics;
            for (const std::string& name :
                 metric_names(Source::measuring, Needs::meter, Meaning::smaller_is_better))
                metrics[name] = latency_ms;
            return metrics;
        };
        costs.dispatch_seconds = calibration_.dispatch_seconds;
        costs.storing_seconds = run_.storing_seconds;
        costs.should_stop = run_.by.should_stop;
        return costs;
    }

  private:
    /// Results that make a search go on as usual: larger designs and higher rungs err as much less
    /// as the calibration found, with its scatter. They decide which designs a search breeds from,
    /// and so what its later trainings cost.
    Metrics plausible_errors(const std::vector<std::string>& names, const Candidate& candidate,
                             std::uint64_t scatter) const {
        RandomStream random(settings_.seed + scatter, "plan",
                            static_cast<std::uint32_t>(candidate.rung), candidate.id);
        const double decades = std::log10(std::max(10.0, candidate.known.at("flops")));
        const ErrorTrend& errors = calibration_.errors;
        const double error = std::exp(errors.scatter * random.normal() - errors.gain * decades) /
                             (1 + 0.1 * candidate.rung);
        Metrics metrics;
        for (const std::string& name : names) metrics[name] = error;
        return metrics;
    }

    /// Metrics that training delivers: those of every dataset, and of its targets those that are
    /// asked for.
    [[nodiscard]] std::vector<std::string> errors() const {
        std::vector<std::string> names =
            metric_names(Source::training, Needs::nothing, Meaning::smaller_is_better);
        for (const std::string& name : settings_.goals.wanted()) {
            const Metric* metric = find_metric(name);
            if (metric != nullptr && metric->source == Source::training) names.push_back(name);
        }
        return names;
    }

    Choice choose(int ranks_per_candidate) const {
        Choice choice;
        choice.ranks_per_candidate = ranks_per_candidate;
        choice.machines = machines(ranks_per_candidate);
        log::info("plan: predicting runs with groups of {}", ranks_per_candidate);
        const double until = run_.by.clock->now() + run_.simulating_seconds;
        std::vector<RunPrediction> runs;
        for (std::uint64_t i = 0; i < max_runs && (i == 0 || run_.by.clock->now() < until); ++i)
            runs.push_back(
                predict_run(*run_.make_engine(), choice.machines, costs(ranks_per_candidate, i)));
        std::sort(runs.begin(), runs.end(), takes_less);
        choice.prediction = runs[runs.size() / 2];
        choice.quick = run_.start_up_seconds + runs[runs.size() / 4].seconds;
        choice.slow = run_.start_up_seconds + runs[3 * runs.size() / 4].seconds;
        return choice;
    }

    /// Group sizes to compare: those timed, and once exchange has been timed, all powers of 2. With
    /// a budget of time another size trains other designs: there is nothing to compare.
    std::vector<Choice> choices() const {
        const Budget::Unit unit = settings_.budget.unit;
        if (unit == Budget::Unit::seconds || unit == Budget::Unit::core_hours)
            return {choose(run_.ranks_per_candidate)};
        std::set<int> sizes(calibration_.group_sizes.begin(), calibration_.group_sizes.end());
        if (sizes.size() > 1)
            for (int size = 1; size <= workers(run_); size *= 2) sizes.insert(size);
        std::vector<Choice> all;
        for (const int size : sizes)
            if (size <= workers(run_)) all.push_back(choose(size));
        return all;
    }

    const PlannedRun& run_;
    const Calibration& calibration_;
    const EngineSettings settings_ = run_.make_engine()->settings();
};

}  // namespace

RunPrediction predict_run(Engine& engine, const PlanMachines& machines, const PlanCosts& costs,
                          RunStore* kept) {
    EDGELOOP_EXPECT(machines.groups > 0, "a run needs somebody who trains");
    VirtualClock clock;
    SharedCores cores(clock, machines.cores);
    RunPrediction prediction;
    SimulatedEvaluator evaluator(
        clock, cores, machines.cores_of_group, machines.groups, [&](const Candidate& candidate) {
            ++prediction.trainings;
            return outcome_of(candidate, costs.dispatch_seconds + costs.training_seconds(candidate),
                              costs.trained);
        });
    const auto measure = [&](const Candidate& candidate) {
        return outcome_of(candidate, costs.measuring_seconds, costs.measured);
    };
    std::map<std::string, std::unique_ptr<SimulatedProbe>> devices;
    Probes probes;
    if (machines.devices > 0)
        for (const std::string& each : machines.classes) {
            devices[each] =
                machines.devices_share
                    ? std::make_unique<SimulatedProbe>(clock, cores, machines.devices, measure)
                    : std::make_unique<SimulatedProbe>(clock, machines.devices, measure);
            probes[each] = devices[each].get();
        }
    NullRunStore nothing;
    PricedStore store(kept ? *kept : nothing, clock, costs.storing_seconds);
    SearchOptions options;
    options.clock = &clock;
    options.should_stop = costs.should_stop;
    (void)run_search(engine, evaluator, probes, store, options);

    prediction.seconds = clock.now();
    prediction.events = store.events;
    prediction.designs = engine.state().proposed;
    prediction.epochs = engine.state().spent.epochs;
    prediction.training_seconds = evaluator.machines().spent_seconds();
    if (prediction.seconds == 0) return prediction;
    prediction.groups_busy =
        prediction.training_seconds / (static_cast<double>(machines.groups) * prediction.seconds);
    for (const auto& each : devices)
        prediction.devices_busy +=
            each.second->machines().spent_seconds() /
            (static_cast<double>(machines.devices * devices.size()) * prediction.seconds);
    return prediction;
}

Bottleneck find_bottleneck(const std::function<std::unique_ptr<Engine>()>& make_engine,
                           const PlanMachines& machines, const PlanCosts& costs) {
    const auto seconds_with = [&](const PlanCosts& changed) {
        return predict_run(*make_engine(), machines, changed).seconds;
    };
    const double now = seconds_with(costs);
    Bottleneck worst{"training", 0};
    const auto consider = [&](const char* part, const std::function<void(PlanCosts&)>& halve) {
        PlanCosts changed = costs;
        halve(changed);
        const double saves = now > 0 ? 1 - seconds_with(changed) / now : 0;
        if (saves > worst.saves) worst = {part, saves};
    };
    consider("training", [](PlanCosts& each) {
        each.training_seconds = [seconds = std::move(each.training_seconds)](const Candidate& one) {
            return seconds(one) / 2;
        };
    });
    if (machines.devices > 0)
        consider("measuring", [](PlanCosts& each) { each.measuring_seconds /= 2; });
    consider("dispatch", [](PlanCosts& each) { each.dispatch_seconds /= 2; });
    consider("storing", [](PlanCosts& each) { each.storing_seconds /= 2; });
    return worst;
}

void check_plan(const PlannedRun& run, const Calibration& calibration) {
    if (run.ranks_per_candidate > workers(run))
        throw ConfigError(fmt::format("--ranks-per-candidate is {}", run.ranks_per_candidate),
                          "the plan has " + plural(std::uint64_t(workers(run)), "worker"),
                          "plan for more ranks or smaller groups");
    if (run.ranks_per_candidate > 1 && calibration.group_sizes.size() == 1)
        throw ConfigError("the exchange of gradients has not been timed",
                          "there was no group of two ranks to time it in",
                          "start the plan with mpirun -n 3 or more");
}

double time_storing(const PlannedRun& run, const Calibration& calibration, RunStore& kept,
                    const std::function<double()>& seconds) {
    const Planner planner(run, calibration);
    const int size = run.ranks_per_candidate;
    const std::uint64_t events =
        predict_run(*run.make_engine(), planner.machines(size), planner.costs(size), &kept).events;
    return events > 0 ? seconds() / static_cast<double>(events) : 0;
}

Json make_plan(const PlannedRun& run, const Calibration& calibration) {
    return Planner(run, calibration).plan();
}

std::string plan_text(const Json& plan) {
    const auto number = [&](const char* key) { return plan.at(key).get<double>(); };
    const auto count = [&](const char* key) { return plan.at(key).get<std::uint64_t>(); };
    const auto counted = [&](const char* key, const char* noun) {
        return plural(count(key), noun);
    };
    const auto quartile = [&](int i) {
        return duration(plan.at("seconds_quartiles").at(std::size_t(i)).get<double>());
    };
    std::string text = fmt::format(
        "{} on {} ({} of {}, {:g} {}): {}, half of such runs {} to {}\n"
        "  {} of {:.2f} s on average, {:g} epochs, groups busy {:.0f} %\n",
        counted("evaluations", "design"), counted("ranks", "rank"), counted("groups", "group"),
        count("ranks_per_candidate"), number("cores"), number("cores") == 1 ? "core" : "cores",
        duration(number("seconds")), quartile(0), quartile(1), counted("trainings", "training"),
        number("training_s"), number("epochs"), 100 * number("groups_busy"));
    if (count("devices") > 0)
        text += fmt::format("  measurements of {:.2f} s, devices busy {:.0f} %\n",
                            number("measuring_s"), 100 * number("devices_busy"));
    text += fmt::format(
        "  start {:.1f} s, dispatch {:.1f} ms a training, storing {:.3f} ms an event\n",
        number("start_up_s"), 1e3 * number("dispatch_s"), 1e3 * number("storing_s_per_event"));
    const std::string bottleneck = plan.at("bottleneck");
    if (bottleneck == "memory")
        text += "  bottleneck: memory; start fewer ranks a node\n";
    else
        text += fmt::format("  bottleneck: {}; half of it would save {:.0f} % of the time\n",
                            bottleneck, 100 * number("halving_it_saves"));
    if (number("designs_without_memory") > 0)
        text +=
            fmt::format("  {:.0f} % of designs need more memory than a rank has and would fail\n",
                        100 * number("designs_without_memory"));
    for (const Json& size : plan.at("group_sizes"))
        text += fmt::format(
            "  --ranks-per-candidate {}: {}{}\n", size.at("ranks_per_candidate").get<int>(),
            duration(size.at("seconds").get<double>()),
            size.at("ranks_per_candidate") == plan.at("best_ranks_per_candidate") ? "  (best)"
                                                                                  : "");
    text += fmt::format("from {} timed in {:.0f} s, which the model meets to {:.0f} %\n",
                        counted("calibration_trainings", "training"),
                        number("calibration_trainings_s"), 100 * number("calibration_error"));
    if (count("designs_not_timed") > 0)
        text += fmt::format(
            "not timed: {} of {}, with up to {:.1f} times the FLOPs of the largest that ended in "
            "time; their share of the time is extrapolated, more --plan-seconds make it surer\n",
            count("designs_not_timed"), counted("designs", "design"), number("extrapolated_flops"));
    if (count("devices") > 0 && plan.at("measuring_assumed").get<bool>())
        text += fmt::format(
            "not timed: measurements, taken to last {:g} s (--measure-seconds); "
            "--plan-device-seconds says it better\n",
            number("measuring_s"));
    return text;
}

}  // namespace edgeloop
