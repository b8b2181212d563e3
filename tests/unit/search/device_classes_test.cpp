// A run that measures on several classes of devices.
#include "support/fake_search.hpp"
#include "support/search_support.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace edgeloop::device_classes_test {
namespace {

using test::FakeEvaluator;
using test::FakeProbe;
using test::MemoryStore;
using test::train;

/// What devices measure that are so many times slower than others, on networks of this gene.
std::function<Outcome(const Candidate&)> measuring(std::size_t gene, double times) {
    return [=](const Candidate& candidate) {
        Outcome outcome;
        outcome.id = candidate.id;
        outcome.metrics["latency_ms"] = times * (0.1 + candidate.genome.genes[gene]);
        outcome.seconds = 1;
        return outcome;
    };
}

EngineSettings settings_of(EngineKind kind = EngineKind::generational) {
    EngineSettings settings = test::box_settings(kind, 10, 64);
    settings.goals.objectives = {"val_rmse", "latency_ms@board", "latency_ms@pi"};
    settings.goals.constraints = {parse_constraint("latency_ms@board<=0.9"),
                                  parse_constraint("latency_ms@pi<=9")};
    return settings;
}

SearchOptions quick() {
    SearchOptions options;
    options.snapshot_seconds = 1e9;
    options.measured = {{"board", {"latency_ms"}}, {"pi", {"latency_ms"}}};
    return options;
}

std::vector<CandidateId> ids(const std::vector<ArchiveMember>& front) {
    std::vector<CandidateId> ids;
    for (const auto& member : front) ids.push_back(member.completed.candidate.id);
    return ids;
}

/// Is away between two numbers of polls.
class AwayProbe : public FakeProbe {
  public:
    AwayProbe(std::uint64_t seed, std::function<Outcome(const Candidate&)> measure, int from,
              int upto)
        : FakeProbe(seed, std::move(measure)), from_(from), upto_(upto) {}
    std::vector<Outcome> poll() override {
        return away(++polls_) ? std::vector<Outcome>() : FakeProbe::poll();
    }
    LinkState link() const override {
        return away(polls_) ? LinkState{"no device", false, 0} : FakeProbe::link();
    }

  private:
    [[nodiscard]] bool away(int polls) const { return polls >= from_ && polls < upto_; }
    int from_, upto_, polls_ = 0;
};

class DeviceClassesTest : public testing::Test {
  protected:
    const SearchSpace space_ = test::unit_box(4);
    MemoryStore store_;
};

TEST_F(DeviceClassesTest, EachHasItsMetricsAndItsEvents) {
    const auto engine = make_engine(space_, settings_of());
    FakeEvaluator evaluator(3, 1, train);
    FakeProbe board(2, measuring(0, 1)), pi(3, measuring(1, 10));
    const SearchResult result =
        run_search(*engine, evaluator, Probes{{"board", &board}, {"pi", &pi}}, store_, quick());
    EXPECT_EQ(result.progress.done, 64u);
    EXPECT_EQ(result.progress.link->text, "board: fake; pi: fake");
    EXPECT_EQ(result.progress.link->devices, 2u);
    std::map<std::string, int> measured;
    int completed = 0;
    for (const Event& event : store_.events) {
        if (const PartDone* done = std::get_if<PartDone>(&event))
            if (done->part.kind == Part::measuring) ++measured[done->part.device_class];
        const Told* told = std::get_if<Told>(&event);
        if (told == nullptr || told->completed.status != Status::completed) continue;
        ++completed;
        const std::vector<double>& genes = told->completed.candidate.genome.genes;
        EXPECT_EQ(told->completed.metrics.at("latency_ms@board"), 0.1 + genes[0]);
        EXPECT_EQ(told->completed.metrics.at("latency_ms@pi"), 10 * (0.1 + genes[1]));
        EXPECT_EQ(told->completed.metrics.count("latency_ms"), 0u);
        EXPECT_EQ(told->completed.measuring_seconds, 2);
    }
    EXPECT_GT(completed, 20);
    EXPECT_EQ(measured, (std::map<std::string, int>{{"board", 64}, {"pi", 64}}));
}

TEST_F(DeviceClassesTest, SameFrontInAnyOrderAndWithAClassThatIsAwayForAWhile) {
    EngineSettings settings = settings_of();
    settings.pruning.dominated = true;
    std::vector<CandidateId> expected;
    std::size_t cancelled = 0;
    for (std::uint64_t round = 0; round < 30; ++round) {
        const auto engine = make_engine(space_, settings);
        FakeEvaluator evaluator(1 + round % 5, round, [](const Candidate& candidate) {
            Outcome outcome = train(candidate);
            if (candidate.id % 9 == 2) outcome.status = Status::failed;
            return outcome;
        });
        FakeProbe board(round + 100, measuring(0, 1));
        AwayProbe pi(round + 200, measuring(1, 10), 5, round < 10 ? 5 : 60);
        NullRunStore nothing;
        const auto front = ids(
            run_search(*engine, evaluator, Probes{{"board", &board}, {"pi", &pi}}, nothing).front);
        if (round == 0) expected = front;
        ASSERT_EQ(front, expected) << round;
        ASSERT_GT(front.size(), 5u);
        cancelled += evaluator.cancelled.size();
    }
    EXPECT_GT(cancelled, 0u) << "what one class rules out need not train to its end";
}

TEST_F(DeviceClassesTest, AClassThatIsAwayKeepsNothingFromTheOthers) {
    EngineSettings settings = settings_of();
    settings.goals.constraints.clear();
    const auto engine = make_engine(space_, settings);
    FakeEvaluator evaluator(3, 1, train);
    FakeProbe board(2, measuring(0, 1));
    AwayProbe pi(3, measuring(1, 10), 0, 1000000);
    SearchOptions options = quick();
    // The first generation: all that can be done without the class.
    options.should_stop = [&] { return evaluator.submitted.size() == 10; };
    try {
        (void)run_search(*engine, evaluator, Probes{{"board", &board}, {"pi", &pi}}, store_,
                         options);
        FAIL() << "it cannot end without the class";
    } catch (const Stopped&) {
    }
    EXPECT_EQ(board.submitted.size(), 10u);
    EXPECT_EQ(store_.last.done, 0u);
    EXPECT_EQ(store_.last.link->text, "board: fake; pi: no device");
    EXPECT_FALSE(store_.last.link->up);
}

/// Runs until the process is "killed" after so many events, then to the end.
/// @param measured  gets what was asked of which class.
std::vector<CandidateId> killed_and_resumed(
    EngineKind kind, std::size_t limit, double snapshot_seconds,
    std::multiset<std::pair<std::string, CandidateId>>* asked) {
    const SearchSpace space = test::unit_box(4);
    EngineSettings settings = settings_of(kind);
    settings.ladder.epochs = {1, 2};
    SearchOptions options = quick();
    options.snapshot_seconds = snapshot_seconds;
    options.ask_ahead = 2;
    options.measure_ahead = 2;
    MemoryStore store;
    std::vector<CandidateId> front;
    for (const bool second : {false, true}) {
        store.resume = second;
        options.should_stop = [&] { return !second && store.events.size() >= limit; };
        const auto engine = make_engine(space, settings);
        FakeEvaluator evaluator(3, limit, train);
        FakeProbe board(limit + 1, measuring(0, 1)), pi(limit + 2, measuring(1, 10));
        try {
            front = ids(run_search(*engine, evaluator, Probes{{"board", &board}, {"pi", &pi}},
                                   store, options)
                            .front);
        } catch (const Stopped&) {
            store.events.resize(std::min(limit, store.events.size()));
        }
        for (const auto& [name, probe] : {std::pair("board", &board), std::pair("pi", &pi)})
            for (const CandidateId id : probe->submitted)
                if (asked != nullptr && !is_scout(id)) asked->emplace(name, id);
    }
    return front;
}

TEST_F(DeviceClassesTest, AResumeIsExactAndMeasuresNothingTwiceThatIsKnown) {
    const auto whole = killed_and_resumed(EngineKind::generational, 100000, 1e9, nullptr);
    ASSERT_GT(whole.size(), 5u);
    for (std::size_t limit = 1; limit < 500; limit += 17)
        for (const double snapshots : {0.0, 1e9}) {
            std::multiset<std::pair<std::string, CandidateId>> asked;
            ASSERT_EQ(killed_and_resumed(EngineKind::generational, limit, snapshots, &asked), whole)
                << limit;
            const std::set<std::pair<std::string, CandidateId>> different(asked.begin(),
                                                                          asked.end());
            // A generation's candidates are asked at once: those that had not answered.
            EXPECT_LE(asked.size(), different.size() + 20) << limit;
        }
}

TEST_F(DeviceClassesTest, AModelLedSearchMeasuresAheadOnAllOfThem) {
    for (std::size_t limit = 40; limit < 400; limit += 200)
        EXPECT_GT(killed_and_resumed(EngineKind::model_based, limit, 0.0, nullptr).size(), 5u);
    const auto engine = make_engine(space_, settings_of(EngineKind::model_based));
    FakeEvaluator evaluator(3, 1, train, 0.1);  // devices have nothing else to do meanwhile
    FakeProbe board(2, measuring(0, 1)), pi(3, measuring(1, 10));
    SearchOptions options = quick();
    options.measure_ahead = 3;
    (void)run_search(*engine, evaluator, Probes{{"board", &board}, {"pi", &pi}}, store_, options);
    std::map<std::string, int> scouted;
    for (const Event& event : store_.events)
        if (const Scouted* scout = std::get_if<Scouted>(&event)) ++scouted[scout->device_class];
    EXPECT_EQ(scouted.size(), 2u);
    for (const auto& [name, probe] : {std::pair("board", &board), std::pair("pi", &pi)}) {
        EXPECT_GT(scouted[name], 20);
        const auto asked = std::count_if(probe->submitted.begin(), probe->submitted.end(),
                                         [](CandidateId id) { return !is_scout(id); });
        EXPECT_LT(asked, 60) << "what was measured ahead is known when it is proposed";
    }
    const std::set<std::string>& metrics = engine->state().model.measured;
    EXPECT_EQ(metrics.count("latency_ms@board") + metrics.count("latency_ms@pi"), 2u);
}

TEST_F(DeviceClassesTest, WhatIsNotValidIsMeasuredAgainOnItsClassAlone) {
    const auto engine = make_engine(space_, settings_of());
    FakeEvaluator evaluator(3, 1, train);
    FakeProbe board(2, measuring(0, 1));
    std::set<CandidateId> seen;
    FakeProbe pi(3, [&](const Candidate& candidate) {
        Outcome outcome = measuring(1, 10)(candidate);
        outcome.metrics["latency_valid"] = seen.insert(candidate.id).second ? 0 : 1;
        return outcome;
    });
    (void)run_search(*engine, evaluator, Probes{{"board", &board}, {"pi", &pi}}, store_, quick());
    EXPECT_EQ(board.submitted.size(), 64u);
    EXPECT_EQ(pi.submitted.size(), 128u);
    EXPECT_EQ(store_.notes("measured again").size(), 64u);
}

TEST_F(DeviceClassesTest, NothingTrainsBeforeEachClassDeliversWhatIsAskedOfIt) {
    class PoorProbe : public FakeProbe {
      public:
        using FakeProbe::FakeProbe;
        std::optional<std::string> lacks() const override {
            return ++asked > 40 ? std::nullopt : std::optional<std::string>("device 'x' is poor");
        }
        mutable int asked = 0;
    };
    const auto engine = make_engine(space_, settings_of());
    FakeProbe board(2, measuring(0, 1));
    PoorProbe pi(3, measuring(1, 10));
    FakeEvaluator evaluator(4, 1, [&](const Candidate& candidate) {
        EXPECT_GT(pi.asked, 40);
        EXPECT_FALSE(board.submitted.empty()) << "the other class need not wait";
        return train(candidate);
    });
    EXPECT_EQ(
        run_search(*engine, evaluator, Probes{{"board", &board}, {"pi", &pi}}, store_, quick())
            .progress.done,
        64u);
}

}  // namespace
}  // namespace edgeloop::device_classes_test
