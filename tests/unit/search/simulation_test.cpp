#include "edgeloop/search/simulation.hpp"

#include "support/search_support.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::simulation_test {
namespace {

Candidate numbered(CandidateId id) {
    Candidate candidate;
    candidate.id = id;
    return candidate;
}

// Candidate n takes n seconds.
Outcome as_many_seconds(const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.seconds = static_cast<double>(candidate.id);
    return outcome;
}

TEST(VirtualClock, JumpsFromEventToEventInOrder) {
    VirtualClock clock;
    std::vector<int> order;
    clock.at(2, [&] { order.push_back(2); });
    clock.at(1, [&] { order.push_back(1); });
    clock.at(2, [&] { order.push_back(3); });
    clock.idle();
    EXPECT_EQ(clock.now(), 1);
    clock.idle();
    clock.idle();
    EXPECT_EQ(clock.now(), 2);
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
    EXPECT_THROW(clock.idle(), LogicError);
}

TEST(SharedCores, JobsSlowDownAlikeWhileTheyWantMoreCoresThanThereAre) {
    VirtualClock clock;
    SharedCores cores(clock, 2);
    std::map<char, double> ends;
    const auto note = [&](char name) { return [&, name] { ends[name] = clock.now(); }; };
    cores.start(4, 1, note('a'));
    cores.start(2, 3, note('b'));                       // 4 cores are wanted: half speed
    const auto dropped = cores.start(9, 4, note('c'));  // 8: a quarter
    clock.at(4, [&] { cores.cancel(dropped); });
    while (ends.size() < 2) clock.idle();
    // To 4 s at a quarter: 1 s done. Then b's last second takes 2 s, and a's last two 2 s.
    EXPECT_NEAR(ends['b'], 6, 1e-9);
    EXPECT_NEAR(ends['a'], 8, 1e-9);
    cores.cancel(dropped);
    cores.start(1, 1, note('d'));
    clock.idle();
    EXPECT_NEAR(ends['d'], 9, 1e-9);
    EXPECT_EQ(ends.count('c'), 0u);
}

TEST(VirtualClock, WhatFellDueWhileTheCoordinatorWasBusyComesLate) {
    VirtualClock clock;
    bool came = false;
    clock.at(1, [&] { came = true; });
    clock.spend(3);
    EXPECT_FALSE(came);
    clock.idle();
    EXPECT_TRUE(came);
    EXPECT_EQ(clock.now(), 3);
}

TEST(SimulatedMachines, WhatFindsNoFreeMachineWaits) {
    VirtualClock clock;
    SimulatedMachines machines(clock, 2, as_many_seconds);
    for (const CandidateId id : {3, 1, 4}) machines.submit(numbered(id));
    clock.idle();  // 1 is done, 4 starts
    EXPECT_EQ(machines.poll().at(0).id, 1u);
    clock.idle();
    EXPECT_EQ(clock.now(), 3);
    EXPECT_DOUBLE_EQ(machines.utilisation(), 1);
    clock.idle();
    EXPECT_EQ(clock.now(), 5);
    EXPECT_DOUBLE_EQ(machines.spent_seconds(), 8);
}

TEST(SimulatedMachines, CancellingFreesTheMachineAtOnce) {
    VirtualClock clock;
    SimulatedMachines machines(clock, 1, as_many_seconds);
    machines.submit(numbered(10));
    machines.submit(numbered(2));
    clock.at(4, [] {});
    clock.idle();
    EXPECT_TRUE(machines.cancel(10));
    EXPECT_FALSE(machines.cancel(10));
    const auto outcomes = machines.poll();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].status, Status::cancelled);
    EXPECT_DOUBLE_EQ(outcomes[0].seconds, 4);
    clock.idle();
    EXPECT_EQ(clock.now(), 6);  // 2 took over at 4
    EXPECT_EQ(machines.poll().at(0).id, 2u);
}

TEST(DurationModel, HasTheMeanItPromises) {
    DurationModel model;
    model.mean_seconds = 5;
    double sum = 0;
    for (CandidateId id = 1; id <= 20000; ++id) sum += model.draw("test", numbered(id));
    EXPECT_NEAR(sum / 20000, 5, 0.25);
    EXPECT_EQ(model.draw("test", numbered(3)), model.draw("test", numbered(3)));
}

struct Simulated {
    double utilisation = 0;
    double seconds = 0;
    std::vector<CandidateId> front;
};

Simulated simulate(EngineKind kind, std::size_t workers, std::uint64_t evaluations) {
    const SearchSpace space = test::unit_box(6);
    const auto engine = make_engine(space, test::box_settings(kind, workers, evaluations));
    VirtualClock clock;
    const DurationModel durations;
    SimulatedEvaluator evaluator(clock, workers, [&](const Candidate& candidate) {
        Outcome outcome;
        outcome.id = candidate.id;
        outcome.metrics = test::zdt1(candidate.genome);
        outcome.seconds = durations.draw("training", candidate);
        return outcome;
    });
    NullRunStore store;
    SearchOptions options;
    options.clock = &clock;
    options.status_seconds = 1e9;
    const SearchResult result = run_search(*engine, evaluator, nullptr, store, options);
    Simulated simulated{evaluator.machines().utilisation(), clock.now(), {}};
    for (const auto& member : result.front)
        simulated.front.push_back(member.completed.candidate.id);
    return simulated;
}

TEST(Simulation, SteadyStateKeepsAllWorkersBusyAndGenerationsDoNot) {
    const Simulated steady = simulate(EngineKind::steady_state, 64, 2560);
    const Simulated generations = simulate(EngineKind::generational, 64, 2560);
    EXPECT_GT(steady.utilisation, 0.99);
    EXPECT_LT(generations.utilisation, 0.5);
    EXPECT_LT(steady.seconds, 0.5 * generations.seconds);
}

TEST(Simulation, IsRepeatable) {
    const Simulated once = simulate(EngineKind::steady_state, 16, 640);
    const Simulated again = simulate(EngineKind::steady_state, 16, 640);
    EXPECT_EQ(once.front, again.front);
    EXPECT_EQ(once.seconds, again.seconds);
}

/// As a simulation that somebody waits for: no real time passes in it.
class TimelessClock : public VirtualClock {
  public:
    [[nodiscard]] double pace() const override { return 5; }
};

/// Counts what a run writes.
class CountingStore : public NullRunStore {
  public:
    void snapshot(const EngineState&, const std::map<CandidateId, InFlight>&) override {
        ++snapshots;
    }
    void publish(const Progress& progress, const std::vector<ArchiveMember>&, bool) override {
        ++published;
        last = progress;
    }
    int snapshots = 0, published = 0;
    Progress last;
};

TEST(Simulation, WritesAtThePaceOfWhoWaitsAndTellsVirtualSeconds) {
    const auto written = [](VirtualClock& clock) {
        const SearchSpace space = test::unit_box(6);
        const auto engine =
            make_engine(space, test::box_settings(EngineKind::steady_state, 8, 100));
        SimulatedEvaluator evaluator(clock, 2, [](const Candidate& candidate) {
            Outcome outcome;
            outcome.id = candidate.id;
            outcome.metrics = test::zdt1(candidate.genome);
            outcome.seconds = 50;
            return outcome;
        });
        SearchOptions options;
        options.clock = &clock;
        CountingStore store;
        (void)run_search(*engine, evaluator, nullptr, store, options);
        return store;
    };
    VirtualClock clock;
    const CountingStore by_virtual_time = written(clock);
    EXPECT_GE(by_virtual_time.snapshots, 50);
    EXPECT_EQ(by_virtual_time.last.elapsed_seconds, 50 * 50);
    TimelessClock timeless;
    const CountingStore by_pace = written(timeless);
    EXPECT_LE(by_pace.snapshots, 2);
    EXPECT_LE(by_pace.published, 2);
    EXPECT_EQ(by_pace.last.elapsed_seconds, 0);
    EXPECT_EQ(by_pace.last.virtual_seconds, 50 * 50);
}

}  // namespace
}  // namespace edgeloop::simulation_test
