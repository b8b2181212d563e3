#pragma once

#include "edgeloop/link/agent_session.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace edgeloop {

struct DriftOptions {
    int every = 10;  ///< measured jobs between two looks at the reference network; 0: never
    double threshold =
        0.1;             ///< change of its latency above which the jobs before count as disturbed
    int patience = 4;    ///< further looks while the device may still recover
    double pause_s = 2;  ///< between those
};

/// The job that measures the reference network: small, fixed, the same for every agent.
[[nodiscard]] MeasurementJob reference_job();

/// Keeps results back until a look at the reference network confirms that the device was still the
/// same after they were measured.
///
/// When the reference has changed by more than the threshold (heat, a changed clock, other load),
/// the device gets a little time to recover. If it does, the jobs since the last good look are
/// measured again; if not, their results say that they are not valid. Either way each result
/// carries what the reference showed.
class DriftGuard {
  public:
    using Job = AgentSession::HeldJob;
    using Measure = std::function<MeasurementResult(const Job&)>;
    /// Waits; false ends the waiting for good.
    using Pause = std::function<bool(double seconds)>;
    struct Settled {
        std::uint64_t id = 0;
        MeasurementResult result;
    };

    /// @param measure  also used for the reference (id 0).
    DriftGuard(const DriftOptions& options, Measure measure, Pause pause);

    /// Looks at the reference for the first time, when that has not happened yet. Call before the
    /// first job.
    void begin();
    /// Takes the result of a job; a failed or lost one needs no confirmation.
    /// @return what can be answered at once.
    [[nodiscard]] std::optional<Settled> add(const Job& job, MeasurementResult result);
    /// Whether it is time for a look. @param idle  nothing else is to be done.
    [[nodiscard]] bool due(bool idle) const;
    /// Looks at the reference and settles everything kept back.
    [[nodiscard]] std::vector<Settled> settle();
    /// Gives up everything kept back: unconfirmed, when the agent stops.
    [[nodiscard]] std::vector<Settled> release();

  private:
    struct Kept {
        Job job;
        MeasurementResult result;
        bool repeated = false;
    };

    [[nodiscard]] std::optional<double> look();
    [[nodiscard]] double drift(double milliseconds) const;
    [[nodiscard]] bool disturbed(const std::optional<double>& milliseconds) const;
    void annotate(Kept& kept, double before_ms, double after_ms) const;

    DriftOptions options_;
    Measure measure_;
    Pause pause_;
    std::optional<double> baseline_ms_;
    double last_ms_ = 0;
    bool was_disturbed_ = false;  ///< at the last look
    std::vector<Kept> kept_;
};

}  // namespace edgeloop
