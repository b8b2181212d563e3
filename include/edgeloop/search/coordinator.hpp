#pragma once

#include "edgeloop/core/clock.hpp"
#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/search/run_store.hpp"

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Time as the coordinator sees it; a simulation brings its own.
class SearchClock {
  public:
    virtual ~SearchClock() = default;
    [[nodiscard]] virtual double now() const = 0;  ///< seconds
    virtual void idle() = 0;                       ///< nothing to do: wait a little
    virtual void busy() = 0;                       ///< something was done: stay alert
    /// Whether its seconds are no real ones.
    [[nodiscard]] virtual bool is_virtual() const { return false; }
    /// The seconds by which checkpoints are written and progress is shown: of a virtual clock that
    /// somebody waits for, the real ones.
    [[nodiscard]] virtual double pace() const { return now(); }
};

/// Real time; idle() sleeps, ever longer up to 2 ms, so that waiting costs next to nothing.
class SystemClock : public SearchClock {
  public:
    [[nodiscard]] double now() const override { return steady_seconds(); }
    void idle() override { back_off_.wait(); }
    void busy() override { back_off_.reset(); }

  private:
    BackOff back_off_;
};

/// An earlier result of one part of this candidate, or nothing.
using ResultLookup = std::function<std::optional<Outcome>(const Part&, const Candidate&)>;

struct SearchOptions {
    /// How often a part may be lost, or the whole process die while it trains, before the candidate
    /// is given up.
    int max_attempts = 3;
    /// Candidates asked beyond the free training slots, so that their latency is known before they
    /// train and the largest can train first. Without limit by default for generational engines
    /// (their result does not depend on it), 0 for the others.
    std::optional<std::size_t> ask_ahead;
    bool measure_first = false;  ///< train a candidate only after it has been measured
    /// Designs that are measured and perhaps never trained, for each that is evaluated, as far as
    /// the devices have nothing else to do: a model-based engine decides better with latencies
    /// known. 0: none.
    int measure_ahead = 0;
    int measure_retries = 2;  ///< times that a measurement which is not valid is made again
    /// What stays not valid is lost, with a reason, instead of ranked as it is.
    bool require_valid = false;
    /// Metrics that measuring has to deliver: a candidate without one ends when it is measured.
    ClassMetrics measured;
    /// Why these metrics are not what a training delivers, or nothing. Empty: whatever it delivers
    /// is, as in problems.
    std::function<std::optional<std::string>(const Metrics&)> refuse_trained;
    double time_limit_seconds = std::numeric_limits<double>::infinity();  ///< from now
    double snapshot_seconds = 10;       ///< at least between two snapshots
    double status_seconds = 1;          ///< between two updates of status and progress
    double table_seconds = 10;          ///< at least between two updates of the tables
    std::function<bool()> should_stop;  ///< somebody asks: e.g. a signal has arrived
    /// Why to stop with a checkpoint though nobody asks: e.g. no device has come.
    std::function<std::optional<std::string>()> gave_up;
    /// Why going on is pointless: e.g. the agent of this machine has ended. Stops with IoError.
    std::function<std::optional<std::string>()> broken;
    std::function<void(const Progress&)> on_progress;  ///< every status_seconds and at the end
    ResultLookup lookup;                               ///< earlier results to reuse
    /// Called before the tables are written, with the front that they will have: what its members
    /// have besides is then there, too.
    std::function<void(const std::vector<ArchiveMember>&)> show;
    /// Drops files that no candidate needs any more; gives the bytes of those that stay. Called
    /// at the start and after snapshots.
    std::function<std::uint64_t(const EngineState&)> tidy;
    SearchClock* clock = nullptr;  ///< null: SystemClock
};

struct SearchResult {
    Progress progress;
    std::vector<ArchiveMember> front;  ///< ascending by first objective
};

/// Runs a search to its end: asks the engine, submits each candidate to all parts at once, training
/// and each class of devices, puts the parts together, tells the engine and keeps it all in the
/// store.
///
/// Continues where an earlier start left off when the store has one. Parts that are lost are
/// submitted again; a part that failed or timed out ends its candidate. Training is cancelled as
/// soon as the engine's verdict on the measured latency is known. Of several classes one whose
/// devices are away keeps nothing from training or from being measured by the others.
///
/// @param probes  none: training alone completes a candidate.
/// @throws Stopped       on request or at the time limit, with everything saved.
/// @throws IoError       nearly everything fails for the same reason; everything is saved.
/// @throws CorruptState  the stored events do not belong to this engine.
[[nodiscard]] SearchResult run_search(Engine& engine, Evaluator& evaluator, const Probes& probes,
                                      RunStore& store, const SearchOptions& options = {});
/// Of a run that names no class of devices. @param probe  null: nobody measures.
[[nodiscard]] SearchResult run_search(Engine& engine, Evaluator& evaluator, LatencyProbe* probe,
                                      RunStore& store, const SearchOptions& options = {});

}  // namespace edgeloop
