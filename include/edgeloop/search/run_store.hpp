#pragma once

#include "edgeloop/evaluation/events.hpp"
#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/search/engine.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// State of a run between two events.
struct SearchState {
    EngineState engine;
    std::map<CandidateId, InFlight> in_flight;
};

/// How much of what a run may cost, or is expected to cost, has been spent.
struct Effort {
    std::string unit;  ///< e.g. "epochs"
    double spent = 0, total = 0;
};

/// How far a run is, for people and scripts.
struct Progress {
    std::uint64_t done = 0, running = 0;
    std::uint64_t total = 0;        ///< designs asked for; 0: as many as the budget is good for
    std::optional<Effort> effort;   ///< with a budget or a ladder
    std::uint64_t done_before = 0;  ///< of those done, by earlier starts
    std::map<Status, std::uint64_t> by_status;
    std::uint32_t generation = 0;
    Metrics best;  ///< smallest value of each objective on the front
    std::optional<double> hypervolume;
    std::vector<double> reference;          ///< its reference point
    std::uint64_t front = 0;                ///< members of the front
    std::uint64_t confirmed = 0;            ///< of them, by repeats or because they need none
    std::uint64_t repeats = 0;              ///< trainings that confirm, so far
    std::uint64_t repeats_asked = 0;        ///< the same with those that wait or train
    std::uint64_t left_unconfirmed = 0;     ///< left_unconfirmed()
    bool confirms = false;                  ///< there are repeats
    std::uint64_t front_not_valid = 0;      ///< of them, measured in a way that cannot be believed
    double elapsed_seconds = 0;             ///< of this start
    std::optional<double> virtual_seconds;  ///< the same on a virtual clock, if it has one
    double training_seconds = 0, measuring_seconds = 0;  ///< summed cost of this start
    std::optional<double> eta_seconds;
    std::uint64_t kept_bytes = 0;  ///< of weights and unfinished trainings on disk
    std::optional<LinkState> link;
    std::string phase;  ///< running, stopped, finished
};

/// What an earlier start of the same run left behind.
struct Recovery {
    std::optional<SearchState> snapshot;  ///< none: replay from the beginning
    std::vector<Event> events;            ///< after the snapshot
};

/// Keeps a run on disk; implemented by store.
class RunStore {
  public:
    virtual ~RunStore() = default;
    /// Called once, before anything else. Nothing for a new run.
    [[nodiscard]] virtual std::optional<Recovery> recover() = 0;
    /// Notes one event; it is safe against a kill after the next commit().
    virtual void record(const Event& event) = 0;
    virtual void commit() = 0;
    /// Keeps a state so that a resume need not replay what came before. Commits first.
    virtual void snapshot(const EngineState& engine,
                          const std::map<CandidateId, InFlight>& in_flight) = 0;
    /// Brings the files people read up to date: status, and if `tables` the front and the table of
    /// evaluations.
    virtual void publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                         bool tables) = 0;
};

/// Keeps nothing: for studies and tests.
class NullRunStore : public RunStore {
  public:
    [[nodiscard]] std::optional<Recovery> recover() override { return std::nullopt; }
    void record(const Event&) override {}
    void commit() override {}
    void snapshot(const EngineState&, const std::map<CandidateId, InFlight>&) override {}
    void publish(const Progress&, const std::vector<ArchiveMember>&, bool) override {}
};

}  // namespace edgeloop
