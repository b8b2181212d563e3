#pragma once

#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/measurement.hpp"
#include "edgeloop/link/model_job.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace edgeloop {

struct AgentOptions : BridgeAddress {
    std::string name;            ///< of the device; stable over restarts
    std::string device_class;    ///< what a job asks for
    std::string record = "{}";   ///< device record, JSON
    std::uint32_t prefetch = 2;  ///< jobs held at once: one measured, the others at hand
    double max_back_off_s = 32;
    /// Where models that jobs are about come to, a folder of this agent alone; empty: it takes
    /// none.
    std::string files_folder = {};
    /// Why this device does not take a model; an empty text: it does. Asked before any of it comes.
    std::function<std::string(const ModelJob&)> refusal = {};
};

/// The device's end of the link: dials out, asks for jobs by credit, sends heartbeats from a
/// thread of its own, keeps each result until it is acknowledged, reconnects for ever.
class AgentSession {
  public:
    struct HeldJob {
        std::uint64_t id = 0;
        MeasurementJob job;
        ModelFiles files = {};  ///< of a job about a model: here until finish()
    };

    /// @throws ConfigError  a name, class or record that cannot be sent.
    explicit AgentSession(const AgentOptions& options);
    /// Results not yet acknowledged get up to a second. Sends Shutdown, unless an exception ends
    /// it: the job at hand then counts as one that an agent died on.
    ~AgentSession();
    AgentSession(const AgentSession&) = delete;
    AgentSession& operator=(const AgentSession&) = delete;

    /// Waits up to `seconds` for a job, and for the files that it is about, and reports it as
    /// started. Throws what ended the thread of
    /// the link, if anything did.
    [[nodiscard]] std::optional<HeldJob> next(double seconds);
    /// The job is measured but its answer waits for something: it stays ours, without counting
    /// against `prefetch`.
    void withhold(std::uint64_t id);
    /// A withheld job is measured once more.
    void resume(std::uint64_t id);
    /// Hands the answer over for delivery. Status completed or failed; anything else returns the
    /// job to the queue. An answer that no device can give fails the job with a reason.
    void finish(std::uint64_t id, MeasurementResult result);
    /// One line about the link, e.g. "connected" or "down for 12 s: connection refused".
    [[nodiscard]] std::string state() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
