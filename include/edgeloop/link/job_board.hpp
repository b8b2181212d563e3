#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/link/fair_queue.hpp"
#include "edgeloop/link/job_store.hpp"
#include "edgeloop/link/messages.hpp"
#include "edgeloop/link/rare_log.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace edgeloop {

/// Limits and time-outs of a broker. Seconds.
struct BoardOptions {
    double heartbeat_s = 1;         ///< told to peers
    double peer_dead_s = 5;         ///< silence after which an idle peer counts as gone
    double quiet_dead_s = 15;       ///< the same for a device that is measuring and speaks seldom
    double waiting_lease_s = 10;    ///< a job sent to a device that does not report holding it
    double running_lease_s = 3600;  ///< longest a device may measure one job
    double reclaim_s = 3;  ///< after a restart devices have this long to say what they are running
    int crash_limit = 3;   ///< agents lost while measuring a job before it counts as crashing
    int device_tries = 3;  ///< times that a job may fail on or come back from devices
    std::size_t max_sessions = 256;
    std::size_t max_queued = 100'000;
};

/// The broker's rules without its sockets: sessions, queue, leases, answers.
///
/// Messages go in with receive(), what is to be sent comes out of take_outgoing(); time is an
/// argument. What must not be forgotten is written to the store before the message that
/// acknowledges it is queued; the caller commits the store before it sends.
class JobBoard {
  public:
    using Session = std::string;  ///< opaque name of a connection
    struct Outgoing {
        Session to;
        wire::Packet packet;
    };

    /// Takes over the store's open jobs.
    JobBoard(const BoardOptions& options, JobStore& store, std::uint64_t nonce, double now);

    /// Handles one message. Never throws for what a peer did; @throws IoError from the store.
    void receive(const Session& from, const wire::Packet& packet, double now);
    /// The connection is known to be gone.
    void disconnected(const Session& session, double now);
    /// Ends a session that is no longer wanted: no fault of the job that is measured there.
    void dismiss(const Session& session, double now);
    [[nodiscard]] bool knows(const Session& session) const { return peers_.count(session) != 0; }
    /// Queues a heartbeat to every session, so that sending shows which connections are gone.
    void probe_sessions();
    /// Time passes: heartbeats missed, leases over. Call at least twice per heartbeat interval.
    void tick(double now);
    [[nodiscard]] std::vector<Outgoing> take_outgoing();

    /// Devices, queues, rates and last errors, for people and scripts.
    [[nodiscard]] Json status(double now) const;

  private:
    struct Peer {
        wire::Hello hello;
        double opened = 0, last_seen = 0;
        // agents
        std::uint32_t credit = 0;
        std::uint64_t running = 0;
        std::set<std::uint64_t> held;
        std::uint64_t measured = 0;
        double busy_s = 0;
        bool shut_down = false;
    };
    struct Work {
        OpenJob open;
        std::set<std::string> clients;      ///< identities of those that want it
        std::optional<Session> holder;      ///< agent it was sent to
        double leased = 0;                  ///< when it was last known to be there
        std::optional<double> started;      ///< nothing: it waits on the device
        std::set<std::string> tried_on;     ///< devices that failed or were not sure: others first
        int failures = 0;                   ///< on devices, and times that one gave it back
        std::uint64_t lost_with_nonce = 0;  ///< process that was measuring it when it vanished
    };

    static constexpr std::uint32_t max_credit = 16;

    /// Under which a client's wishes are kept: what it is called and which process it is.
    [[nodiscard]] static std::string identity_of(const wire::Hello& hello);
    [[nodiscard]] static std::string name_in(const std::string& identity);
    void hello(const Session& from, const wire::Hello& message, double now);
    void welcome_client(const Session& to);
    void welcome_agent(const Session& from, const wire::Hello& message, double now);
    bool replace_earlier_session(const Session& from, const wire::Hello& message, double now);
    [[nodiscard]] static bool was_given(const Work& work, const Peer& agent);
    void refuse_answer(const Session& from, const Peer& agent, std::uint64_t id, double now);
    void heartbeat(const Session& from, Peer& peer, const wire::Heartbeat& message, double now);
    void submit(const Session& from, const Peer& peer, std::uint64_t id, const wire::Submit& m);
    void cancel(const Peer& peer, std::uint64_t id);
    void drop(const Session& from, std::uint64_t id, const wire::Drop& what, double now);
    void started(const Session& from, Peer& peer, std::uint64_t id, double now);
    void finish(const Session& from, Peer& peer, std::uint64_t id, MeasurementResult result,
                double now);

    /// Whether a failure that may be the device's own is to be tried once more. Queues the job
    /// then.
    bool try_elsewhere(Work& work, const std::string& device);
    /// Whether a connected device that has not tried the job yet may have it.
    [[nodiscard]] bool untried_device_for(const Work& work) const;
    /// Ends a job: keeps the result if it lasts, and tells those that wait for it.
    void conclude(std::uint64_t id, const MeasurementResult& result);
    void assign(double now);
    void send_job(const Session& to, Work& work, double now);
    void release(Work& work);
    void take_back(std::uint64_t id);
    void count_loss(Work& work, std::uint64_t nonce, const std::string& device, double now);
    void enqueue(const Work& work);
    void close_agent(const Session& session, const Peer& peer, double now);
    void report_crash(Work& work, const std::string& device);
    [[nodiscard]] Json waiting_jobs() const;
    [[nodiscard]] static wire::DeviceInfo info_for(const Peer& client, const Peer& device);
    /// Whether the device may have what is for this class, or for any.
    [[nodiscard]] static bool suits(const std::string& wanted, const Peer& agent);
    [[nodiscard]] std::size_t devices_for(const std::string& wanted) const;
    [[nodiscard]] wire::LinkReport report_for(const Peer& client) const;
    void check_leases(double now);
    void answer(std::uint64_t id, const MeasurementResult& result,
                const std::set<std::string>& clients);
    void drop_work(std::uint64_t id);
    void send(const Session& to, wire::Message message, std::uint64_t request = 0);
    void report_to_clients();
    void remember_error(const std::string& kind, const std::string& text, double now);
    [[nodiscard]] std::string status_text(double now) const;

    BoardOptions options_;
    JobStore& store_;
    std::uint64_t nonce_;
    double started_at_;
    bool reclaiming_ = true;

    std::map<Session, Peer> peers_;
    std::map<std::string, Session> clients_;        ///< by identity: two may have the same name
    std::map<std::string, Session> agents_;         ///< by name
    std::unordered_map<std::uint64_t, Work> work_;  ///< everything without an answer
    /// Devices whose answers to a job were not valid: when it is asked again, others come first.
    std::unordered_map<std::uint64_t, std::set<std::string>> unsure_;
    FairQueue queue_;
    std::vector<Outgoing> outgoing_;
    std::deque<std::string> last_errors_;
    RareLog rare_;
    std::deque<double> finished_at_;  ///< of the last answers, for the rate
    std::uint64_t answered_ = 0;
    std::uint64_t refused_answers_ = 0;
    std::size_t reported_queue_ = 0;  ///< length last told to clients
};

}  // namespace edgeloop
