#pragma once

#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/search/coordinator.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace edgeloop {

/// Time that passes only while the coordinator waits: idle() jumps to the next thing that happens.
class VirtualClock : public SearchClock {
  public:
    [[nodiscard]] double now() const override { return now_; }
    /// @throws LogicError  nothing will ever happen: the search would wait for ever.
    void idle() override;
    void busy() override {}
    [[nodiscard]] bool is_virtual() const override { return true; }

    /// Calls `what` at that time, in idle(). Equal times: in the order of the calls.
    void at(double time, std::function<void()> what);
    /// The coordinator itself was busy for so long; what fell due meanwhile comes late.
    void spend(double seconds) { now_ += seconds; }

  private:
    double now_ = 0;
    std::multimap<double, std::function<void()>> agenda_;
};

/// Cores that simulated jobs share: while the running jobs want more cores than there are, all of
/// them slow down alike.
class SharedCores {
  public:
    SharedCores(VirtualClock& clock, double cores) : clock_(clock), cores_(cores) {}

    /// Runs a job.
    /// @param seconds  it takes while there are cores enough.
    /// @param cores    it keeps busy.
    /// @return its number, for cancel().
    std::uint64_t start(double seconds, double cores, std::function<void()> done);
    /// Ends a job without calling `done`; one that has ended is ignored.
    void cancel(std::uint64_t job);

  private:
    struct Job {
        double end = 0;  ///< in seconds of progress
        double cores = 0;
        std::function<void()> done;
    };

    [[nodiscard]] double rate() const;
    void advance();
    void plan_next();
    void finish_due();

    VirtualClock& clock_;
    double cores_;
    std::map<std::uint64_t, Job> jobs_;
    std::uint64_t last_job_ = 0, plan_ = 0;
    double wanted_ = 0;                ///< cores, by all running jobs
    double progress_ = 0, until_ = 0;  ///< of a job that always ran, up to a moment
};

/// Machines of one kind in virtual time: an outcome arrives `outcome.seconds` after a machine took
/// the candidate up; what finds no free machine waits its turn.
class SimulatedMachines {
  public:
    /// @param evaluate  gives the outcome and, in `seconds`, how long it takes.
    SimulatedMachines(VirtualClock& clock, std::size_t machines,
                      std::function<Outcome(const Candidate&)> evaluate);
    /// The same on cores shared with others, where each machine keeps `cores_each` of them busy.
    SimulatedMachines(VirtualClock& clock, SharedCores& cores, double cores_each,
                      std::size_t machines, std::function<Outcome(const Candidate&)> evaluate);

    void submit(const Candidate& candidate);
    /// A running candidate is cancelled now, a waiting one is forgotten; an unknown one is ignored.
    /// @return whether it was running.
    bool cancel(CandidateId id);
    [[nodiscard]] std::vector<Outcome> poll();
    [[nodiscard]] std::size_t idle_machines() const { return machines_ - running_.size(); }
    /// Fraction of all machine time up to the last moment at which a candidate was taken up.
    [[nodiscard]] double utilisation() const;
    /// Machine seconds spent so far on candidates that have ended.
    [[nodiscard]] double spent_seconds() const { return spent_; }

  private:
    struct Running {
        double since = 0;
        std::uint64_t turn = 0;  ///< tells a cancelled run from a later one of the same candidate
        std::uint64_t job = 0;   ///< on the shared cores
        Outcome outcome;
    };

    void start(const Candidate& candidate);
    void finish(CandidateId id, std::uint64_t turn);
    void end(CandidateId id);
    void advance_area();

    VirtualClock& clock_;
    SharedCores* cores_ = nullptr;  ///< null: cores of their own
    double cores_each_ = 1;
    std::size_t machines_;
    std::function<Outcome(const Candidate&)> evaluate_;
    std::map<CandidateId, Running> running_;
    std::deque<Candidate> waiting_;
    std::vector<Outcome> done_;
    std::uint64_t turns_ = 0;
    double spent_ = 0;
    double area_ = 0, area_until_ = 0;           ///< busy machine seconds up to a moment
    double area_at_start_ = 0, last_start_ = 0;  ///< and at the last moment one was taken up
};

/// W workers in virtual time.
class SimulatedEvaluator : public Evaluator {
  public:
    /// As SimulatedMachines.
    template <class... Arguments>
    explicit SimulatedEvaluator(VirtualClock& clock, Arguments&&... arguments)
        : machines_(clock, std::forward<Arguments>(arguments)...) {}

    [[nodiscard]] std::size_t free_slots() const override { return machines_.idle_machines(); }
    void submit(const Candidate& candidate) override { machines_.submit(candidate); }
    void cancel(CandidateId id) override { (void)machines_.cancel(id); }
    [[nodiscard]] std::vector<Outcome> poll() override { return machines_.poll(); }
    [[nodiscard]] const SimulatedMachines& machines() const { return machines_; }

  private:
    SimulatedMachines machines_;
};

/// D edge devices in virtual time, with one queue.
class SimulatedProbe : public LatencyProbe {
  public:
    SimulatedProbe(VirtualClock& clock, std::size_t devices,
                   std::function<Outcome(const Candidate&)> measure)
        : machines_(clock, devices, std::move(measure)), devices_(devices) {}
    SimulatedProbe(VirtualClock& clock, SharedCores& cores, std::size_t devices,
                   std::function<Outcome(const Candidate&)> measure)
        : machines_(clock, cores, 1, devices, std::move(measure)), devices_(devices) {}

    void submit(const Candidate& candidate) override { machines_.submit(candidate); }
    void cancel(CandidateId id) override { (void)machines_.cancel(id); }
    [[nodiscard]] std::vector<Outcome> poll() override { return machines_.poll(); }
    [[nodiscard]] LinkState link() const override { return {"simulated", true, devices_}; }
    [[nodiscard]] std::vector<std::string> devices() const override { return {}; }
    [[nodiscard]] const SimulatedMachines& machines() const { return machines_; }

  private:
    SimulatedMachines machines_;
    std::size_t devices_;
};

/// Log-normal durations, addressed by candidate and rung: the same in every run.
struct DurationModel {
    double mean_seconds = 1;
    double sigma = 1;  ///< of the logarithm
    std::uint64_t seed = 1;

    [[nodiscard]] double draw(const char* purpose, const Candidate& candidate) const;
};

/// Log-normal with mean 1, by which a training's time differs: addressed by the run's seed and the
/// design (Candidate::seed) and by rung, whichever engine proposes it.
/// @param sigma  of the logarithm.
[[nodiscard]] double time_factor(const Candidate& candidate, double sigma);

/// What luck makes of a training's error: a factor around 1, addressed by candidate (a repeat has
/// an id of its own) and rung, the same in every run.
struct TrainingNoise {
    double relative = 0.2;  ///< standard deviation
    std::uint64_t seed = 1;

    [[nodiscard]] double factor(const Candidate& candidate) const;
};

}  // namespace edgeloop
