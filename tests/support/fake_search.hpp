#pragma once

#include "support/search_support.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/search/coordinator.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::test {

/// What a training of two seconds delivers: the second objective of ZDT1.
inline Outcome train(const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["val_rmse"] = zdt1(candidate.genome).at("f2");
    outcome.seconds = 2;
    return outcome;
}

/// Results come back in a random order, after a random number of polls.
class Shuffled {
  public:
    Shuffled(std::uint64_t seed, double chance) : random_(seed, "shuffled"), chance_(chance) {}

    void add(const Candidate& candidate) { waiting_.push_back(candidate); }
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }

    std::vector<Outcome> take(const std::function<Outcome(const Candidate&)>& evaluate) {
        random_.shuffle(waiting_);
        std::vector<Outcome> outcomes;
        while (!waiting_.empty() && random_.chance(chance_)) {
            outcomes.push_back(evaluate(waiting_.back()));
            waiting_.pop_back();
        }
        return outcomes;
    }

    bool remove(CandidateId id) {
        const auto before = waiting_.size();
        waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(),
                                      [&](const Candidate& each) { return each.id == id; }),
                       waiting_.end());
        return waiting_.size() < before;
    }

  private:
    RandomStream random_;
    double chance_;
    std::vector<Candidate> waiting_;
};

class FakeEvaluator : public Evaluator {
  public:
    FakeEvaluator(std::size_t slots, std::uint64_t seed,
                  std::function<Outcome(const Candidate&)> evaluate, double chance = 0.5)
        : slots_(slots), waiting_(seed, chance), evaluate_(std::move(evaluate)) {}

    std::size_t free_slots() const override { return slots_ - waiting_.size(); }
    void submit(const Candidate& candidate) override {
        EXPECT_LT(waiting_.size(), slots_);
        submitted.push_back(candidate);
        waiting_.add(candidate);
    }
    void cancel(CandidateId id) override {
        if (!waiting_.remove(id)) return;
        Outcome outcome;
        outcome.id = id;
        outcome.status = Status::cancelled;
        cancelled.push_back(outcome);
    }
    std::vector<Outcome> poll() override {
        std::vector<Outcome> outcomes = waiting_.take(evaluate_);
        outcomes.insert(outcomes.end(), cancelled.begin() + static_cast<long>(reported_),
                        cancelled.end());
        reported_ = cancelled.size();
        return outcomes;
    }

    std::vector<Candidate> submitted;
    std::vector<Outcome> cancelled;

  private:
    std::size_t slots_, reported_ = 0;
    Shuffled waiting_;
    std::function<Outcome(const Candidate&)> evaluate_;
};

class FakeProbe : public LatencyProbe {
  public:
    FakeProbe(std::uint64_t seed, std::function<Outcome(const Candidate&)> measure)
        : waiting_(seed, 0.4), measure_(std::move(measure)) {}

    void submit(const Candidate& candidate) override {
        submitted.push_back(candidate.id);
        waiting_.add(candidate);
    }
    void cancel(CandidateId id) override { waiting_.remove(id); }
    std::vector<Outcome> poll() override { return waiting_.take(measure_); }
    LinkState link() const override { return {"fake", true, 1}; }
    std::vector<std::string> devices() const override { return {}; }

    std::vector<CandidateId> submitted;

  private:
    Shuffled waiting_;
    std::function<Outcome(const Candidate&)> measure_;
};

/// Keeps everything in memory and can pretend that the process died after some events.
class MemoryStore : public RunStore {
  public:
    std::optional<Recovery> recover() override {
        if (!resume) return std::nullopt;
        Recovery recovery;
        std::size_t included = 0;
        for (const auto& [count, state] : snapshots) {
            if (count > events.size()) break;
            included = count;
            recovery.snapshot = state;
        }
        recovery.events.assign(events.begin() + static_cast<long>(included), events.end());
        return recovery;
    }
    void record(const Event& event) override { events.push_back(event); }
    void commit() override {}
    void snapshot(const EngineState& engine,
                  const std::map<CandidateId, InFlight>& in_flight) override {
        snapshots.emplace_back(events.size(), SearchState{engine, in_flight});
    }
    void publish(const Progress& progress, const std::vector<ArchiveMember>&, bool) override {
        last = progress;
    }
    [[nodiscard]] std::vector<std::string> notes(const std::string& what) const {
        std::vector<std::string> reasons;
        for (const Event& event : events)
            if (const Note* note = std::get_if<Note>(&event))
                if (note->what == what) reasons.push_back(note->reason);
        return reasons;
    }

    std::vector<Event> events;
    std::vector<std::pair<std::size_t, SearchState>> snapshots;
    Progress last;
    bool resume = false;
};

}  // namespace edgeloop::test
