#pragma once

#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/temporary_folder.hpp"
#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/link/job_board.hpp"
#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/measurement.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What `--edge` says.
struct EdgeOption {
    enum class Mode {
        none,     ///< "none": no latency objective
        model,    ///< "model": analytic model, no device
        local,    ///< "local": this program starts an agent on this machine
        bind,     ///< "bind:tcp://*:5701": agents dial in to the search
        connect,  ///< "tcp://bridge:5701": the search dials a running bridge
    };
    Mode mode = Mode::none;
    std::string endpoint;  ///< bind and connect
};

/// @throws ConfigError  naming the forms that exist.
[[nodiscard]] EdgeOption parse_edge_option(const std::string& text);

/// The agents on this machine for `--edge local`: one, or one of each class of devices that the run
/// names. They take turns in measuring.
///
///     // rank 0, before MPI_Init (starting processes later is unsafe):
///     LocalAgent agent;
///     // after MPI_Init:
///     RemoteProbeOptions options;
///     options.edge = {EdgeOption::Mode::local, agent.endpoint()};
///     RemoteProbe probe(options);
///
/// The endpoint is a socket in a private folder (mode 0700), so no port is opened. The agent dials
/// it until the probe has bound it, and ends by itself when this process ends, however it ends.
class LocalAgent {
  public:
    /// Starts edgeloop-edge.
    /// @param classes  an agent for each; none: one of the class that this machine has.
    /// @param program  its path; empty: in the folder of the running program.
    /// @throws IoError.
    explicit LocalAgent(const std::vector<std::string>& classes = {},
                        const std::string& program = {});
    ~LocalAgent();
    LocalAgent(const LocalAgent&) = delete;
    LocalAgent& operator=(const LocalAgent&) = delete;

    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    /// Where trainings of this machine take turns with it: MeasuringTurns.
    [[nodiscard]] std::string turns_file() const { return folder_.path() + "/turns"; }
    /// Of the first.
    [[nodiscard]] pid_t pid() const { return processes_.front()->pid(); }
    /// Whether all of them still run.
    [[nodiscard]] bool running();
    /// Ends them. Before the probes go, or they report the link that closes.
    void stop();

  private:
    TemporaryFolder folder_;
    std::string endpoint_;
    std::vector<std::unique_ptr<ChildProcess>> processes_;
};

struct RemoteProbeOptions {
    EdgeOption edge;  ///< mode local, bind or connect
    /// Name of this search at the broker, stable over --resume, e.g. host and run directory.
    std::string name = "search";
    std::string device_class;  ///< measure only on such devices; empty: any
    /// local: devices of other classes dial in too.
    bool is_one_of_several = false;
    MeasurementSettings settings;
    std::vector<std::string> metrics;  ///< that a device has to deliver
    LinkKeys keys;                     ///< this side's; empty: no encryption
    std::string server_key;            ///< connect: the bridge's public key
    std::string allow_list;  ///< bind, with keys: who may connect; BrokerOptions::allow_list
    bool allow_plain_network = false;  ///< bind to the network without keys
    BoardOptions board;                ///< local and bind: heartbeats and leases
    double max_back_off_s = 32;
};

/// Measures candidates on real devices over the link. An I/O thread of its own; no call blocks.
///
/// While the link is down submitted candidates wait, and are settled when it returns. Candidates
/// that describe the same network share one measurement.
class RemoteProbe final : public LatencyProbe {
  public:
    /// @param beside  local and bind: of another class of the same run, whose way to the devices
    ///                it takes instead of opening one; null: none.
    /// @throws ConfigError, CommError (bind).
    explicit RemoteProbe(const RemoteProbeOptions& options, const RemoteProbe* beside = nullptr);
    ~RemoteProbe() override;
    RemoteProbe(const RemoteProbe&) = delete;
    RemoteProbe& operator=(const RemoteProbe&) = delete;

    /// @throws ConfigError  for a spec that is too large to send.
    void submit(const Candidate& candidate) override;
    void cancel(CandidateId id) override;
    [[nodiscard]] std::vector<Outcome> poll() override;
    [[nodiscard]] LinkState link() const override;
    /// @throws ConfigError  in mode local: no other device will come.
    [[nodiscard]] std::optional<std::string> lacks() const override;
    [[nodiscard]] std::vector<std::string> devices() const override;

    /// Submitted requests the other side has not yet confirmed to keep.
    [[nodiscard]] std::size_t unconfirmed() const;
    /// bind and local: where agents dial in to, with the real port.
    [[nodiscard]] std::string endpoint() const;
    /// Seconds since a device was last reachable while something was waiting for one; 0 when fine.
    /// For `--edge-timeout`.
    [[nodiscard]] double seconds_without_device() const;

  private:
    struct Hub;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
