#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Trains candidates somewhere; implemented by dispatch.
///
/// None of the calls blocks for long; the coordinator polls. Every submitted candidate comes back
/// from poll() exactly once.
class Evaluator {
  public:
    virtual ~Evaluator() = default;
    /// How many candidates could start right now.
    [[nodiscard]] virtual std::size_t free_slots() const = 0;
    virtual void submit(const Candidate& candidate) = 0;
    /// Asks for an early end; the outcome (cancelled or completed) still arrives through poll().
    virtual void cancel(CandidateId id) = 0;
    /// Whether a submitted candidate still waits for ranks to train it, as a large one does.
    [[nodiscard]] virtual bool waits(CandidateId /*id*/) const { return false; }
    /// Outcomes that arrived since the last call, in any order.
    [[nodiscard]] virtual std::vector<Outcome> poll() = 0;
};

/// State of the way to the edge, for status lines.
struct LinkState {
    std::string text;  ///< e.g. "2 devices", "down for 12 s"
    bool up = true;
    std::size_t devices = 0;
};

/// Measures candidates on an edge device (or models it). Same rules as Evaluator; it queues without
/// limit.
class LatencyProbe {
  public:
    virtual ~LatencyProbe() = default;
    virtual void submit(const Candidate& candidate) = 0;
    virtual void cancel(CandidateId id) = 0;
    [[nodiscard]] virtual std::vector<Outcome> poll() = 0;
    [[nodiscard]] virtual LinkState link() const = 0;
    /// Whether latencies are computed or looked up, by no device.
    [[nodiscard]] virtual bool computes() const { return false; }
    /// Why no device that is there can deliver what the run asks for, or nothing. As long as there
    /// is a reason no training is begun.
    [[nodiscard]] virtual std::optional<std::string> lacks() const { return std::nullopt; }
    /// Records of the devices that measured, as JSON text, for provenance.
    [[nodiscard]] virtual std::vector<std::string> devices() const { return {}; }
};

/// Who measures for a run, by class of device; a run that names none has one without a name. They
/// outlive who is given them.
using Probes = std::map<std::string, LatencyProbe*>;
/// Metrics by the class of device that has to deliver them, as it calls them.
using ClassMetrics = std::map<std::string, std::vector<std::string>>;

}  // namespace edgeloop
