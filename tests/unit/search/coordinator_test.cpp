#include "edgeloop/search/coordinator.hpp"

#include "support/fake_search.hpp"
#include "support/search_support.hpp"
#include "support/serial_evaluator.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace edgeloop::coordinator_test {
namespace {

using test::box_settings;
using test::FakeEvaluator;
using test::FakeProbe;
using test::MemoryStore;
using test::train;
using test::unit_box;

Outcome measure(const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["latency_ms"] = candidate.genome.genes[0];
    outcome.seconds = 1;
    return outcome;
}

EngineSettings loop_settings(EngineKind kind = EngineKind::generational) {
    EngineSettings settings = box_settings(kind, 10, 64);
    settings.goals.objectives = {"val_rmse", "latency_ms"};
    return settings;
}

std::vector<CandidateId> ids(const std::vector<ArchiveMember>& front) {
    std::vector<CandidateId> ids;
    for (const auto& member : front) ids.push_back(member.completed.candidate.id);
    return ids;
}

std::vector<CompletedCandidate> told(const MemoryStore& store) {
    std::vector<CompletedCandidate> all;
    for (const Event& event : store.events)
        if (const Told* each = std::get_if<Told>(&event)) all.push_back(each->completed);
    EXPECT_FALSE(all.empty());  // who goes through them checks nothing otherwise
    return all;
}

SearchOptions quick() {
    SearchOptions options;
    options.snapshot_seconds = 1e9;
    return options;
}

TEST(RunSearch, SameFrontForAnyNumberOfSlotsAndAnyOrderOfArrival) {
    const SearchSpace space = unit_box(4);
    EngineSettings settings = loop_settings();
    settings.goals.constraints = {parse_constraint("latency_ms<=0.7")};
    settings.pruning.dominated = true;
    std::vector<CandidateId> expected;
    for (std::uint64_t round = 0; round < 20; ++round) {
        const auto engine = make_engine(space, settings);
        FakeEvaluator evaluator(1 + round % 5, round, [](const Candidate& candidate) {
            Outcome outcome = train(candidate);
            if (candidate.id % 9 == 2) outcome.status = Status::failed;
            return outcome;
        });
        FakeProbe probe(round + 100, measure);
        NullRunStore store;
        const auto front = ids(run_search(*engine, evaluator, &probe, store).front);
        if (round == 0) expected = front;
        ASSERT_EQ(front, expected) << round;
        ASSERT_GT(front.size(), 3u);
    }
}

TEST(RunSearch, PutsBothHalvesTogether) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(3, 1, train);
    FakeProbe probe(2, measure);
    MemoryStore store;
    const SearchResult result = run_search(*engine, evaluator, &probe, store, quick());
    EXPECT_EQ(result.progress.done, 64u);
    EXPECT_EQ(result.progress.by_status.at(Status::completed), 64u);
    EXPECT_EQ(result.progress.phase, "finished");
    EXPECT_TRUE(result.progress.hypervolume);
    for (const auto& completed : told(store)) {
        EXPECT_EQ(completed.metrics.size(), 2u);
        EXPECT_EQ(completed.settled.count("latency_ms"), 1u);
        EXPECT_EQ(completed.settled.count("val_rmse"), 0u);
        EXPECT_EQ(completed.training_seconds, 2);
        EXPECT_EQ(completed.measuring_seconds, 1);
    }
}

TEST(RunSearch, TrainingAloneIsEnoughWithoutAProbe) {
    const SearchSpace space = unit_box(3);
    EngineSettings settings = loop_settings();
    settings.goals.objectives = {"val_rmse"};
    const auto engine = make_engine(space, settings);
    SerialEvaluator evaluator(train);
    NullRunStore store;
    EXPECT_EQ(run_search(*engine, evaluator, nullptr, store).progress.done, 64u);
}

TEST(RunSearch, AMeasuredLatencyThatIsTooLongEndsTheTraining) {
    const SearchSpace space = unit_box(3);
    EngineSettings settings = loop_settings();
    settings.goals.constraints = {parse_constraint("latency_ms<=0.5")};
    const auto engine = make_engine(space, settings);
    FakeEvaluator evaluator(4, 3, train, 0.1);  // slower than the probe
    FakeProbe probe(4, measure);
    MemoryStore store;
    const SearchResult result = run_search(*engine, evaluator, &probe, store, quick());
    EXPECT_FALSE(evaluator.cancelled.empty());
    EXPECT_EQ(store.notes("cancelled").size(), evaluator.cancelled.size());
    EXPECT_LT(evaluator.submitted.size(), 64u);  // some were measured before they trained
    for (const auto& completed : told(store)) {
        const bool too_long = completed.candidate.genome.genes[0] > 0.5;
        EXPECT_EQ(completed.status, too_long ? Status::infeasible : Status::completed);
        EXPECT_EQ(completed.metrics.count("val_rmse"), too_long ? 0u : 1u);
    }
    EXPECT_EQ(result.progress.done, 64u);
}

TEST(RunSearch, MeasureFirstNeverTrainsWhatIsTooSlow) {
    const SearchSpace space = unit_box(3);
    EngineSettings settings = loop_settings();
    settings.goals.constraints = {parse_constraint("latency_ms<=0.5")};
    const auto engine = make_engine(space, settings);
    FakeEvaluator evaluator(4, 3, train);
    FakeProbe probe(4, measure);
    MemoryStore store;
    SearchOptions options = quick();
    options.measure_first = true;
    (void)run_search(*engine, evaluator, &probe, store, options);
    EXPECT_TRUE(evaluator.cancelled.empty());
    for (const Candidate& candidate : evaluator.submitted)
        EXPECT_LE(candidate.genome.genes[0], 0.5);
}

TEST(RunSearch, AFailedMeasurementFailsTheCandidateWithItsReason) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(4, 1, train);
    FakeProbe probe(1, [](const Candidate& candidate) {
        Outcome outcome = measure(candidate);
        if (candidate.id == 5) {
            outcome.status = Status::failed;
            outcome.reason = "out of memory on the device";
        }
        return outcome;
    });
    MemoryStore store;
    (void)run_search(*engine, evaluator, &probe, store, quick());
    for (const auto& completed : told(store)) {
        EXPECT_EQ(completed.status == Status::failed, completed.candidate.id == 5);
        if (completed.candidate.id == 5) {
            EXPECT_EQ(completed.reason, "out of memory on the device");
        }
    }
}

TEST(RunSearch, AResultWithoutAnObjectiveIsAFailure) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(4, 1, [](const Candidate& candidate) {
        Outcome outcome = train(candidate);
        if (candidate.id == 2) outcome.metrics["val_rmse"] = std::nan("");
        if (candidate.id == 3) outcome.metrics.clear();
        return outcome;
    });
    FakeProbe probe(1, measure);
    MemoryStore store;
    (void)run_search(*engine, evaluator, &probe, store, quick());
    for (const auto& completed : told(store)) {
        if (completed.candidate.id == 2) {
            EXPECT_EQ(completed.reason, "val_rmse is nan");
        } else if (completed.candidate.id == 3) {
            EXPECT_EQ(completed.reason, "val_rmse was not measured");
        } else {
            EXPECT_EQ(completed.status, Status::completed);
        }
    }
}

TEST(RunSearch, LostHalvesAreTriedAgainUpToALimit) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    std::map<CandidateId, int> attempts;
    FakeEvaluator evaluator(4, 1, [&](const Candidate& candidate) {
        Outcome outcome = train(candidate);
        const int attempt = ++attempts[candidate.id];
        if (candidate.id == 7 && attempt < 3) outcome.status = Status::lost;
        if (candidate.id == 8) outcome.status = Status::lost;
        outcome.reason = "rank 2 died";
        return outcome;
    });
    FakeProbe probe(1, measure);
    MemoryStore store;
    (void)run_search(*engine, evaluator, &probe, store, quick());
    EXPECT_EQ(attempts[7], 3);
    EXPECT_EQ(attempts[8], 3);
    EXPECT_EQ(store.notes("retried training").size(), 4u);
    for (const auto& completed : told(store))
        EXPECT_EQ(completed.status, completed.candidate.id == 8 ? Status::lost : Status::completed);
}

/// A probe whose first answers for a candidate are not valid.
FakeProbe unsure_probe(std::map<CandidateId, int>& attempts, CandidateId which, int not_valid) {
    return FakeProbe(1, [&attempts, which, not_valid](const Candidate& candidate) {
        Outcome outcome = measure(candidate);
        const int attempt = ++attempts[candidate.id];
        const bool sure = candidate.id != which || attempt > not_valid;
        outcome.metrics["latency_valid"] = sure ? 1 : 0;
        return outcome;
    });
}

TEST(RunSearch, AMeasurementThatIsNotValidIsMadeAgain) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(4, 1, train);
    std::map<CandidateId, int> attempts;
    FakeProbe probe = unsure_probe(attempts, 7, 2);
    MemoryStore store;
    const SearchResult result = run_search(*engine, evaluator, &probe, store, quick());
    EXPECT_EQ(attempts[7], 3);
    EXPECT_EQ(attempts[8], 1);
    EXPECT_EQ(store.notes("measured again").size(), 2u);
    EXPECT_EQ(result.progress.front_not_valid, 0u);
    for (const auto& completed : told(store)) {
        EXPECT_EQ(completed.metrics.at("latency_valid"), 1);
        EXPECT_EQ(completed.measuring_seconds, completed.candidate.id == 7 ? 3 : 1);
    }
}

TEST(RunSearch, WhatStaysNotValidIsRankedAndCountedOrLostWhenValidityIsRequired) {
    for (const bool required : {false, true}) {
        const SearchSpace space = unit_box(3);
        const auto engine = make_engine(space, loop_settings());
        FakeEvaluator evaluator(4, 1, train);
        std::map<CandidateId, int> attempts;
        FakeProbe probe = unsure_probe(attempts, 7, 1000);
        MemoryStore store;
        SearchOptions options = quick();
        options.measure_retries = 1;
        options.require_valid = required;
        const SearchResult result = run_search(*engine, evaluator, &probe, store, options);
        EXPECT_EQ(attempts[7], 2);
        std::size_t not_valid = 0;
        for (const ArchiveMember& member : result.front)
            not_valid += member.completed.candidate.id == 7 ? 1 : 0;
        EXPECT_EQ(result.progress.front_not_valid, not_valid);
        for (const auto& completed : told(store)) {
            if (completed.candidate.id != 7) continue;
            EXPECT_EQ(completed.status, required ? Status::lost : Status::completed);
            EXPECT_EQ(completed.reason, required ? "none of 2 measurements was valid" : "");
        }
    }
}

TEST(RunSearch, AMeasurementWithoutWhatTheGoalsWantEndsTheCandidateBeforeItTrains) {
    const SearchSpace space = unit_box(3);
    EngineSettings settings = loop_settings();
    settings.goals.constraints = {parse_constraint("energy_mj<=5")};
    const auto engine = make_engine(space, settings);
    FakeEvaluator evaluator(4, 1, train);
    FakeProbe probe(1, [](const Candidate& candidate) {
        Outcome outcome = measure(candidate);
        outcome.device = "board";
        if (candidate.id % 2 == 0) outcome.metrics["energy_mj"] = 2;
        return outcome;
    });
    MemoryStore store;
    SearchOptions options = quick();
    options.measure_first = true;
    options.measured[""] = {"latency_ms", "energy_mj"};
    (void)run_search(*engine, evaluator, &probe, store, options);
    EXPECT_EQ(evaluator.submitted.size(), 32u);
    for (const Candidate& candidate : evaluator.submitted) EXPECT_EQ(candidate.id % 2, 0u);
    for (const auto& completed : told(store)) {
        if (completed.candidate.id % 2 == 0) continue;
        EXPECT_EQ(completed.status, Status::failed);
        EXPECT_EQ(completed.reason, "board delivered no energy_mj");
    }
}

TEST(RunSearch, NothingTrainsBeforeADeviceDeliversWhatIsAsked) {
    class PoorProbe : public FakeProbe {
      public:
        using FakeProbe::FakeProbe;
        std::optional<std::string> lacks() const override {
            if (++asked > 20) return std::nullopt;
            return "device 'board' delivers no energy_mj";
        }
        mutable int asked = 0;
    };
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    PoorProbe probe(1, measure);
    FakeEvaluator evaluator(4, 1, [&](const Candidate& candidate) {
        EXPECT_GT(probe.asked, 20);
        return train(candidate);
    });
    MemoryStore store;
    EXPECT_EQ(run_search(*engine, evaluator, &probe, store, quick()).progress.done, 64u);
}

TEST(RunSearch, StopsWhenEverythingFailsForOneReasonAndGoesOnAfterwards) {
    const SearchSpace space = unit_box(3);
    bool broken = true;
    const auto evaluate = [&](const Candidate& candidate) {
        Outcome outcome = train(candidate);
        if (!broken) return outcome;
        outcome.status = Status::failed;
        outcome.reason = "cannot write '/x/" + std::to_string(candidate.id) + "'";
        return outcome;
    };
    MemoryStore store;
    {
        const auto engine = make_engine(space, loop_settings());
        FakeEvaluator evaluator(4, 1, evaluate);
        FakeProbe probe(1, measure);
        try {
            (void)run_search(*engine, evaluator, &probe, store, quick());
            FAIL() << "nothing worked and it did not stop";
        } catch (const IoError& error) {
            EXPECT_NE(error.problem().find("designs failed for the same reason: cannot write"),
                      std::string::npos)
                << error.what();
            EXPECT_NE(error.suggestion().find("--resume"), std::string::npos);
        }
        EXPECT_LT(store.last.done, 64u);
        EXPECT_EQ(store.last.phase, "stopped");
    }
    broken = false;
    store.resume = true;
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(4, 1, evaluate);
    FakeProbe probe(1, measure);
    const SearchResult result = run_search(*engine, evaluator, &probe, store, quick());
    EXPECT_EQ(result.progress.done, 64u);
    EXPECT_FALSE(result.front.empty());
}

TEST(RunSearch, EarlierResultsAreReused) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(4, 1, train);
    FakeProbe probe(1, measure);
    MemoryStore store;
    SearchOptions options = quick();
    options.lookup = [](const Part& part, const Candidate& candidate) -> std::optional<Outcome> {
        if (part == Part::training && candidate.id % 2 == 0) return train(candidate);
        if (part == Part::measuring && candidate.id % 4 == 0) return measure(candidate);
        return std::nullopt;
    };
    const SearchResult result = run_search(*engine, evaluator, &probe, store, options);
    EXPECT_EQ(evaluator.submitted.size(), 32u);
    EXPECT_EQ(probe.submitted.size(), 48u);
    EXPECT_EQ(result.progress.by_status.at(Status::completed), 64u);
}

TEST(RunSearch, ReportsAnExhaustedSpaceByFinishingEarly) {
    const SearchSpace space = SearchSpace::box({0.5, 0.5}, {0.5, 0.5});  // a single design
    EngineSettings settings = loop_settings();
    const auto engine = make_engine(space, settings);
    FakeEvaluator evaluator(4, 1, train);
    FakeProbe probe(1, measure);
    NullRunStore store;
    EXPECT_EQ(run_search(*engine, evaluator, &probe, store).progress.done, 1u);
    EXPECT_TRUE(engine->state().exhausted);
}

TEST(RunSearch, DoesNotStartWhatCannotFinishInTime) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(1, 1, [](const Candidate& candidate) {
        Outcome outcome = train(candidate);
        outcome.seconds = 1e6;
        return outcome;
    });
    FakeProbe probe(1, measure);
    MemoryStore store;
    SearchOptions options = quick();
    options.time_limit_seconds = 1e5;
    EXPECT_THROW((void)run_search(*engine, evaluator, &probe, store, options), Stopped);
    EXPECT_EQ(evaluator.submitted.size(), 1u);
    EXPECT_EQ(store.last.phase, "stopped");
}

/// FLOPs that differ from design to design in no order.
Metrics scattered_flops(const Candidate& candidate) {
    return {{"flops", 1 + candidate.genome.genes[0]}};
}

TEST(RunSearch, TheLargestOfAGenerationTrainsFirst) {
    const SearchSpace space = unit_box(3);
    for (const EngineKind kind : {EngineKind::generational, EngineKind::steady_state}) {
        const auto engine = make_engine(space, loop_settings(kind), scattered_flops);
        FakeEvaluator evaluator(2, 1, train);
        FakeProbe probe(1, measure);
        NullRunStore store;
        (void)run_search(*engine, evaluator, &probe, store, quick());
        std::vector<double> flops;
        for (std::size_t i = 0; i < 10; ++i)
            flops.push_back(evaluator.submitted.at(i).known.at("flops"));
        EXPECT_EQ(std::is_sorted(flops.rbegin(), flops.rend()), kind == EngineKind::generational);
    }
}

TEST(RunSearch, ASmallerOneThatFitsIsStillStarted) {
    const SearchSpace space = unit_box(3);
    const auto flops = [](const Candidate& candidate) {
        return candidate.genome.genes[0] < 0.5 ? 1.0 : 100.0;
    };
    const auto engine = make_engine(space, loop_settings(), [&](const Candidate& candidate) {
        return Metrics{{"flops", flops(candidate)}};
    });
    FakeEvaluator evaluator(1, 1, [&](const Candidate& candidate) {
        Outcome outcome = train(candidate);
        outcome.seconds = 1e4 * flops(candidate);
        return outcome;
    });
    FakeProbe probe(1, measure);
    MemoryStore store;
    SearchOptions options = quick();
    options.time_limit_seconds = 1e5;
    EXPECT_THROW((void)run_search(*engine, evaluator, &probe, store, options), Stopped);
    std::size_t small = 0;
    for (const Event& event : store.events)
        if (const Proposed* proposed = std::get_if<Proposed>(&event))
            small += flops(proposed->candidate) == 1 ? 1 : 0;
    // The first of the large ones shows how long they take; the others are passed over.
    ASSERT_GT(small, 0u);
    ASSERT_LT(small, 9u);
    EXPECT_EQ(evaluator.submitted.size(), 1 + small);
}

// --- resuming

struct Restarted {
    std::vector<CandidateId> front;
    std::vector<CandidateId> trained;  ///< everything submitted, in every start of the run
};

/// Runs until the process is "killed" after `limit` events, then resumes to the end.
Restarted killed_and_resumed(EngineKind kind, std::size_t limit, double snapshot_seconds) {
    const SearchSpace space = unit_box(4);
    EngineSettings settings = loop_settings(kind);
    settings.goals.constraints = {parse_constraint("latency_ms<=0.8")};
    settings.ladder.epochs = {1, 2};
    SearchOptions options;
    options.snapshot_seconds = snapshot_seconds;
    options.ask_ahead = 2;
    MemoryStore store;
    Restarted run;
    for (const bool second : {false, true}) {
        store.resume = second;
        options.should_stop = [&] { return !second && store.events.size() >= limit; };
        const auto engine = make_engine(space, settings);
        FakeEvaluator evaluator(3, limit, train);
        FakeProbe probe(limit + 1, measure);
        try {
            run.front = ids(run_search(*engine, evaluator, &probe, store, options).front);
        } catch (const Stopped&) {
            store.events.resize(std::min(limit, store.events.size()));
        }
        for (const Candidate& candidate : evaluator.submitted)
            run.trained.push_back(candidate.id * 10 + static_cast<CandidateId>(candidate.rung));
    }
    return run;
}

TEST(Resume, GenerationalEndsWithTheSameFrontWhereverItWasKilled) {
    const auto whole = killed_and_resumed(EngineKind::generational, 100000, 1e9);
    for (std::size_t limit = 1; limit < 400; limit += 13)
        for (const double snapshots : {0.0, 1e9})
            ASSERT_EQ(killed_and_resumed(EngineKind::generational, limit, snapshots).front,
                      whole.front)
                << limit;
}

TEST(Resume, RepeatsNothingButWhatWasInFlight) {
    for (const EngineKind kind : {EngineKind::generational, EngineKind::steady_state}) {
        for (std::size_t limit = 5; limit < 300; limit += 31) {
            const Restarted run = killed_and_resumed(kind, limit, 0.0);
            const std::set<CandidateId> different(run.trained.begin(), run.trained.end());
            EXPECT_LE(run.trained.size(), different.size() + 3) << limit;
        }
    }
}

/// The process dies each time candidate 5 trains, as a network that crashes LibTorch makes it.
/// Gives how often it died.
int die_in_candidate_5(MemoryStore& store) {
    const SearchSpace space = unit_box(4);
    for (int deaths = 0;; ++deaths) {
        store.resume = deaths > 0;
        const auto engine = make_engine(space, loop_settings());
        FakeEvaluator evaluator(1, 1, [](const Candidate& candidate) {
            if (candidate.id == 5) throw std::runtime_error("died");
            return train(candidate);
        });
        FakeProbe probe(1, measure);
        try {
            EXPECT_EQ(run_search(*engine, evaluator, &probe, store, quick()).progress.done, 64u);
            return deaths;
        } catch (const std::runtime_error&) {
        }
    }
}

TEST(Resume, ACandidateThatKillsTheProcessIsGivenUpAfterAFewAttempts) {
    MemoryStore store;
    EXPECT_EQ(die_in_candidate_5(store), SearchOptions().max_attempts);
    for (const auto& completed : told(store))
        EXPECT_EQ(completed.status, completed.candidate.id == 5 ? Status::lost : Status::completed);
}

/// Candidate 5 waits for ranks, and the process dies meanwhile, of something else.
class DiesWhileItWaits : public FakeEvaluator {
  public:
    using FakeEvaluator::FakeEvaluator;
    [[nodiscard]] bool waits(CandidateId id) const override { return id == 5; }
    std::vector<Outcome> poll() override {
        if (!submitted.empty() && submitted.back().id == 5 && ++polls_ > 3)
            throw std::runtime_error("died");
        return submitted.empty() || submitted.back().id == 5 ? std::vector<Outcome>()
                                                             : FakeEvaluator::poll();
    }

  private:
    int polls_ = 0;
};

TEST(Resume, ACandidateThatOnlyWaitedForRanksIsNotHeldResponsible) {
    const SearchSpace space = unit_box(4);
    MemoryStore store;
    for (int death = 0; death < 2 * SearchOptions().max_attempts; ++death) {
        store.resume = death > 0;
        const auto engine = make_engine(space, loop_settings());
        DiesWhileItWaits evaluator(1, 1, train);
        FakeProbe probe(1, measure);
        EXPECT_THROW((void)run_search(*engine, evaluator, &probe, store, quick()),
                     std::runtime_error);
    }
    store.resume = true;
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(1, 1, train);
    FakeProbe probe(1, measure);
    EXPECT_EQ(run_search(*engine, evaluator, &probe, store, quick())
                  .progress.by_status.at(Status::completed),
              64u);
}

TEST(Resume, StopsInOrderAreNotHeldAgainstACandidate) {
    const SearchSpace space = unit_box(4);
    MemoryStore store;
    for (int start = 0; start < 10; ++start) {
        store.resume = start > 0;
        const auto engine = make_engine(space, loop_settings());
        FakeEvaluator evaluator(2, 1, train,
                                start < 9 ? 0.0 : 0.5);  // nothing ends before the last
        FakeProbe probe(1, measure);
        SearchOptions options = quick();
        options.should_stop = [&] { return start < 9 && evaluator.submitted.size() == 2; };
        try {
            (void)run_search(*engine, evaluator, &probe, store, options);
        } catch (const Stopped&) {
        }
    }
    EXPECT_EQ(store.last.by_status.at(Status::completed), 64u);
}

TEST(Resume, AFinishedRunIsNotRepeated) {
    const SearchSpace space = unit_box(4);
    MemoryStore store;
    std::vector<CandidateId> front;
    for (const bool second : {false, true}) {
        store.resume = second;
        const auto engine = make_engine(space, loop_settings());
        FakeEvaluator evaluator(3, 1, train);
        FakeProbe probe(1, measure);
        const SearchResult result = run_search(*engine, evaluator, &probe, store, quick());
        if (second) {
            EXPECT_TRUE(evaluator.submitted.empty());
            EXPECT_EQ(ids(result.front), front);
        }
        front = ids(result.front);
    }
}

TEST(Resume, ReplayGivesASteadyStateRunBackExactly) {
    const SearchSpace space = unit_box(4);
    const EngineSettings settings = loop_settings(EngineKind::steady_state);
    MemoryStore store;
    const auto engine = make_engine(space, settings);
    FakeEvaluator evaluator(5, 9, train);
    FakeProbe probe(10, measure);
    const SearchResult result = run_search(*engine, evaluator, &probe, store, quick());
    store.snapshots.clear();  // the journal alone has to do
    store.resume = true;
    const auto replayed = make_engine(space, settings);
    FakeEvaluator unused(5, 9, train);
    const SearchResult again = run_search(*replayed, unused, &probe, store, quick());
    EXPECT_TRUE(unused.submitted.empty());
    EXPECT_EQ(ids(again.front), ids(result.front));
    const auto& before = engine->state().population.individuals();
    const auto& after = replayed->state().population.individuals();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after[i].id, before[i].id);
}

TEST(Resume, AJournalOfAnotherSeedIsRefused) {
    const SearchSpace space = unit_box(4);
    MemoryStore store;
    for (const bool second : {false, true}) {
        EngineSettings settings = loop_settings();
        settings.seed = second ? 2 : 1;
        store.resume = second;
        store.snapshots.clear();
        const auto engine = make_engine(space, settings);
        FakeEvaluator evaluator(3, 1, train);
        FakeProbe probe(1, measure);
        if (second) {
            EXPECT_THROW((void)run_search(*engine, evaluator, &probe, store, quick()),
                         CorruptState);
        } else {
            (void)run_search(*engine, evaluator, &probe, store, quick());
        }
    }
}

TEST(RunSearch, ATrainingThatDeliversWhatNoneDoesFailsItsCandidateAlone) {
    const SearchSpace space = unit_box(3);
    const auto engine = make_engine(space, loop_settings());
    FakeEvaluator evaluator(4, 1, [](const Candidate& candidate) {
        Outcome outcome = train(candidate);
        if (candidate.id == 5) outcome.metrics["made_up"] = 1;
        return outcome;
    });
    FakeProbe probe(1, measure);
    MemoryStore store;
    SearchOptions options = quick();
    options.refuse_trained = [](const Metrics& metrics) {
        return metrics.count("made_up") > 0 ? std::optional<std::string>("made up") : std::nullopt;
    };
    (void)run_search(*engine, evaluator, &probe, store, options);
    for (const auto& completed : told(store)) {
        EXPECT_EQ(completed.status == Status::failed, completed.candidate.id == 5);
        EXPECT_EQ(completed.metrics.count("made_up"), 0u);
    }
}

}  // namespace
}  // namespace edgeloop::coordinator_test
