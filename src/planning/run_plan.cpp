#include "edgeloop/planning/run_plan.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/search/simulation.hpp"

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace edgeloop {
namespace {

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

std::function<double(const Candidate&)> halved(std::function<double(const Candidate&)> seconds) {
    return [seconds = std::move(seconds)](const Candidate& one) { return seconds(one) / 2; };
}

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
        return outcome_of(candidate, costs.measuring_seconds(candidate), costs.measured);
    };
    std::optional<SimulatedProbe> probe;
    if (machines.devices > 0 && machines.devices_share)
        probe.emplace(clock, cores, machines.devices, measure);
    else if (machines.devices > 0)
        probe.emplace(clock, machines.devices, measure);
    NullRunStore nothing;
    PricedStore store(kept ? *kept : nothing, clock, costs.storing_seconds);
    SearchOptions options;
    options.clock = &clock;
    options.should_stop = costs.should_stop;
    (void)run_search(engine, evaluator, probe ? &*probe : nullptr, store, options);

    prediction.seconds = clock.now();
    prediction.events = store.events;
    prediction.training_seconds = evaluator.machines().spent_seconds();
    if (prediction.seconds == 0) return prediction;
    prediction.groups_busy =
        prediction.training_seconds / (static_cast<double>(machines.groups) * prediction.seconds);
    if (probe)
        prediction.devices_busy = probe->machines().spent_seconds() /
                                  (static_cast<double>(machines.devices) * prediction.seconds);
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
    consider("training",
             [](PlanCosts& each) { each.training_seconds = halved(each.training_seconds); });
    if (machines.devices > 0)
        consider("measuring",
                 [](PlanCosts& each) { each.measuring_seconds = halved(each.measuring_seconds); });
    consider("dispatch", [](PlanCosts& each) { each.dispatch_seconds /= 2; });
    consider("storing", [](PlanCosts& each) { each.storing_seconds /= 2; });
    return worst;
}

}  // namespace edgeloop
