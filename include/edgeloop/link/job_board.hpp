#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/link/fair_queue.hpp"
#include "edgeloop/link/job_store.hpp"
#include "edgeloop/link/limits.hpp"
#include "edgeloop/link/messages.hpp"
#include "edgeloop/link/model_job.hpp"
#include "edgeloop/link/rare_log.hpp"
#include "edgeloop/link/shares.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace edgeloop {

/// Limits and time-outs of a broker. Seconds. Of what there is a limited amount of, no peer gets
/// more while it has as much as is left for all others: shares.hpp.
struct BoardOptions {
    double heartbeat_s = 1;         ///< told to peers
    double peer_dead_s = 5;         ///< silence after which an idle peer counts as gone
    double quiet_dead_s = 15;       ///< the same for a device that is measuring and speaks seldom
    double waiting_lease_s = 10;    ///< a job sent to a device that does not report holding it
    double running_lease_s = 3600;  ///< longest a device may measure one job; hold it: twice that
    double reclaim_s = 3;  ///< after a restart devices have this long to say what they are running
    int crash_limit = 3;   ///< agents lost while measuring a job before it counts as crashing
    int device_tries = 3;  ///< times that a job may fail on or come back from devices
    /// A job ends without an answer when for so long no search waited for it, or no device of its
    /// class was here; 0: never.
    double expire_s = limits::unclaimed_s;
    std::size_t max_sessions = limits::sessions;
    std::size_t max_queued = limits::queued_jobs;
    std::uint64_t max_queued_bytes = limits::queued_bytes;  ///< of jobs, and of who waits for them
    std::uint64_t max_record_bytes = limits::record_bytes;  ///< of devices that are here
    std::uint64_t max_model_bytes = limits::model_bytes;    ///< of a file that a job is about
};

/// Who is behind a connection, as far as it has shown.
struct Principal {
    std::string key = {};      ///< its public key; empty: no keys are asked for
    bool may_drop_any = true;  ///< jobs that others wait for
};

/// The broker's rules without its sockets: sessions, queue, leases, answers.
///
/// Messages go in with receive(), what is to be sent comes out of take_outgoing(); time is an
/// argument. What must not be forgotten is written to the store before the message that
/// acknowledges it is queued; the caller commits the store before it sends.
///
/// Shares, turns and names are those of a key or, where none are asked for, of the name that a peer
/// gives itself.
class JobBoard {
  public:
    using Session = std::string;  ///< opaque name of a connection
    struct Outgoing {
        Session to;
        wire::Packet packet;
    };

    /// Takes over the store's open jobs. @throws IoError.
    JobBoard(const BoardOptions& options, JobStore& store, std::uint64_t nonce, double now);

    /// Handles one message. Never throws for what a peer did; @throws IoError when the store cannot
    /// be read: then the message was not handled.
    void receive(const Session& from, const wire::Packet& packet, double now,
                 const Principal& who = {});
    /// The connection is known to be gone.
    void disconnected(const Session& session, double now);
    /// Ends a session that is no longer wanted: no fault of the job that is measured there.
    void dismiss(const Session& session, double now);
    /// The names of devices belong for a day to the key that had them last, unless it is listed no
    /// more.
    void forget_names(const std::function<bool(const std::string&)>& is_listed);
    [[nodiscard]] bool knows(const Session& session) const { return peers_.count(session) != 0; }
    /// Queues a heartbeat to every session, so that sending shows which connections are gone.
    void probe_sessions();
    /// Time passes: heartbeats missed, leases over. Call at least twice per heartbeat interval.
    void tick(double now);
    [[nodiscard]] std::vector<Outgoing> take_outgoing();
    /// About how many bytes take_outgoing() would give: records and results may be large.
    [[nodiscard]] std::size_t outgoing_bytes() const { return outgoing_bytes_; }

    /// Devices, queues, shares, rates and last errors, for people and scripts.
    [[nodiscard]] Json status(double now) const;

  private:
    struct Peer {
        wire::Hello hello;
        Principal who;
        std::string owner;  ///< of its share: its key or its name
        double opened = 0, last_seen = 0;
        std::uint64_t client = 0;  ///< of a client: its number
        // agents
        std::uint32_t credit = 0;
        std::uint64_t running = 0;
        std::set<std::uint64_t> held;
        std::uint64_t measured = 0;
        double busy_s = 0;
        bool shut_down = false;
    };
    /// A search that is here.
    struct Client {
        Session session;
        std::string identity, name, owner;
        FairQueue::Waiter waiter;
        std::set<std::uint64_t> wants;
    };
    struct Work {
        OpenJob open;
        std::set<std::uint64_t> clients;    ///< numbers of those that want it
        double since = 0;                   ///< when a device of its class is missed from
        double wanted = 0;                  ///< when a client was last seen to want it
        std::optional<Session> holder;      ///< agent it was sent to
        double given = 0, leased = 0;       ///< when it was sent, and last known to be there
        std::optional<double> started;      ///< nothing: it waits on the device
        std::set<std::string> tried_on;     ///< devices that failed or were not sure: others first
        double tried = 0;                   ///< when one did so last
        int failures = 0;                   ///< on devices, and times that one gave it back
        std::uint64_t lost_with_nonce = 0;  ///< process that was measuring it when it vanished
    };
    /// Whose the name of a device is.
    struct Named {
        std::string key;
        double seen = 0;
    };
    struct Complaint {
        std::string kind, line;
    };
    /// A job whose files are still to come: it is not taken yet.
    struct Upload {
        wire::Submit wish;
        std::vector<FileName> files;
        Session from;
        std::string owner;
        std::uint64_t bytes = 0;  ///< that its owner's share has it with
        double heard = 0, asked = 0;
    };
    using UploadKey = std::pair<std::uint64_t, std::uint64_t>;  ///< number of the client, job

    static constexpr std::uint32_t max_credit = 16;

    // who is here: job_board_sessions.cpp
    /// Under which a client is known over several connections: whose, what it is called and which
    /// process it is.
    [[nodiscard]] static std::string identity_of(const std::string& owner,
                                                 const wire::Hello& hello);
    [[nodiscard]] static std::string owner_of(const Principal& who, const std::string& name);
    void hello(const Session& from, const wire::Hello& message, double now, const Principal& who);
    [[nodiscard]] std::string hello_refusal(const wire::Hello& message, double now,
                                            const std::string& owner);
    [[nodiscard]] std::string full_for(const Session& from, const wire::Hello& message,
                                       const std::string& owner) const;
    void welcome_client(const Session& from, Peer& peer);
    void welcome_agent(const Session& from, Peer& peer, double now);
    bool replace_earlier_session(const Session& from, const wire::Hello& message, double now,
                                 const Principal& who);
    [[nodiscard]] static bool is_alike(const Peer& peer, const wire::Hello& message,
                                       const Principal& who);
    [[nodiscard]] std::string name_refusal(const Session& from, const wire::Hello& message,
                                           double now, const Principal& who);
    void reserve_name(const Peer& agent, double now);
    void look_after_names(double now);
    void move_agent(const Session& older, const Session& from);
    void forget_peer(const Session& session);
    void forget_client(std::uint64_t number, double now);
    void close_agent(const Session& session, const Peer& peer, double now);
    void restore_losses(const Peer& agent);
    [[nodiscard]] static wire::DeviceInfo info_for(const Peer& client, const Peer& device);

    // job_board.cpp
    void heartbeat(const Session& from, Peer& peer, const wire::Heartbeat& message, double now);
    [[nodiscard]] std::size_t devices_for(const std::string& wanted) const;
    [[nodiscard]] wire::LinkReport report_for(const Peer& client) const;
    void send(const Session& to, wire::Message message, std::uint64_t request = 0);
    void report_to_clients(double now);
    void remember_error(const std::string& kind, const std::string& text, double now);

    // what searches want: job_board_wishes.cpp
    void submit(const Session& from, const Peer& peer, std::uint64_t id,
                const wire::Submit& message, double now);
    /// Takes a new job of this peer. @return false when there is no room for it now.
    bool open_job(const Peer& peer, std::uint64_t id, const wire::Submit& message, double now);
    void charge(Work& work, const std::string& owner);
    void stop_waiting(Work& work, std::uint64_t client, double now);
    void cancel(const Peer& peer, std::uint64_t id, double now);
    void drop(const Session& from, std::uint64_t id, const wire::Drop& what, double now);
    [[nodiscard]] bool is_chosen(const Work& work, std::uint64_t id, const wire::Drop& what) const;
    [[nodiscard]] bool may_drop(const Peer& peer, const Work& work) const;
    void expire(double now);
    [[nodiscard]] std::string expiry_of(const Work& work, double now) const;
    void note_class(const std::string& device_class, double now);
    void drop_work(std::uint64_t id);

    // models in files: job_board_files.cpp
    [[nodiscard]] bool has_files(const Session& from, const Peer& peer, std::uint64_t id,
                                 const wire::Submit& message, double now);
    bool open_upload(const Session& from, const Peer& peer, std::uint64_t id,
                     const wire::Submit& message, const ModelJob& model, double now);
    void ask_for_piece(const UploadKey& key, Upload& upload, double now);
    void take_piece(const Session& from, const Peer& peer, std::uint64_t id,
                    const wire::Piece& piece, double now);
    void give_piece(const Session& to, const Peer& peer, std::uint64_t id,
                    const wire::PieceRequest& request, double now);
    void end_upload(const UploadKey& key);
    void end_uploads_of(std::uint64_t client);
    void look_after_uploads(double now);
    /// Of the files that a job is about, so that each goes when the last such job does.
    void use_files(const MeasurementJob& job);
    void leave_files(const MeasurementJob& job);

    // what becomes of jobs: job_board_jobs.cpp
    void started(const Session& from, Peer& peer, std::uint64_t id, double now);
    void finish(const Session& from, Peer& peer, std::uint64_t id, MeasurementResult result,
                double now);
    /// How a device is remembered that a job is sent to.
    [[nodiscard]] static std::string device_of(const Peer& agent);
    [[nodiscard]] static bool was_given(const Work& work, const Peer& agent);
    void refuse_answer(const Session& from, const Peer& agent, std::uint64_t id, double now);
    /// Whether a failure that may be the device's own is to be tried once more. Queues the job
    /// then.
    bool try_elsewhere(Work& work, const std::string& device, double now);
    /// The device is asked again only when there is no other.
    static void prefer_others(Work& work, const std::string& device, double now);
    /// How many devices that are here take jobs: of a class, and of "" all.
    using Takers = std::map<std::string, std::size_t>;
    [[nodiscard]] Takers takers_now(double now) const;
    [[nodiscard]] static bool takes_jobs(const Peer& agent, double now);
    /// Whether the device is to get the job now.
    [[nodiscard]] bool may_have(const Work& work, const std::string& device, const Takers& takers,
                                double now) const;
    /// Whether one of these devices has not tried the job yet.
    [[nodiscard]] bool untried_device_for(const Work& work, const Takers& takers, double now) const;
    /// Ends a job: keeps the result if it lasts, and tells those that wait for it.
    void conclude(std::uint64_t id, const MeasurementResult& result);
    void assign_soon(double now);
    void assign(double now);
    void send_job(const Session& to, Peer& agent, Work& work, double now);
    void release(Work& work);
    void take_back(std::uint64_t id);
    void count_loss(Work& work, const Peer& agent, double now);
    void forget_loss(const Work& work);
    void enqueue(const Work& work);
    void report_crash(Work& work, const std::string& device);
    void check_leases(double now);
    void answer(std::uint64_t id, const MeasurementResult& result,
                const std::set<std::uint64_t>& clients);
    /// Whether the device may have what is for this class, or for any.
    [[nodiscard]] static bool suits(const std::string& wanted, const Peer& agent);

    // how things are: job_board_status.cpp
    void report_status(const Session& to, const std::string& owner, std::uint64_t request,
                       double now);
    [[nodiscard]] Json device_lines(double now) const;
    [[nodiscard]] Json client_lines(double now) const;
    [[nodiscard]] Json waiting_jobs() const;
    [[nodiscard]] Json share_lines() const;
    [[nodiscard]] std::string status_text(double now) const;

    BoardOptions options_;
    JobStore& store_;
    std::uint64_t nonce_;
    double started_at_;
    bool reclaiming_ = true;

    std::map<Session, Peer> peers_;
    std::map<std::uint64_t, Client> clients_;        ///< by number
    std::map<std::string, std::uint64_t> known_as_;  ///< identity of a client -> its number
    std::uint64_t next_client_ = 1;
    std::map<std::string, Session> agents_;         ///< by name
    std::map<std::string, Named> names_;            ///< of devices with keys, here or away
    std::unordered_map<std::uint64_t, Work> work_;  ///< everything without an answer
    /// Processes that vanished while they measured, and the jobs: they may come back.
    std::multimap<std::uint64_t, std::uint64_t> lost_;
    /// Devices whose answers to a job were not valid: when it is asked again, others come first.
    std::unordered_map<std::uint64_t, std::set<std::string>> unsure_;
    std::map<UploadKey, Upload> uploads_;
    std::map<FileName, std::size_t> file_uses_;  ///< jobs that are about a file
    std::map<std::string, double> class_seen_;   ///< when a device of it was last here
    FairQueue queue_;
    Share sessions_, records_, jobs_, bytes_, name_places_;
    Budgets hellos_, questions_, wishes_, pieces_;
    std::vector<Outgoing> outgoing_;
    std::size_t outgoing_bytes_ = 0;
    bool assign_due_ = false;  ///< when what is to be sent is taken
    double assign_at_ = 0;
    std::deque<Complaint> complaints_;
    std::string trouble_;  ///< of the store, as it was last seen
    RareLog rare_;
    std::deque<double> finished_at_;  ///< of the last answers, for the rate
    std::uint64_t answered_ = 0;
    std::uint64_t refused_answers_ = 0;
    std::size_t reported_queue_ = 0;  ///< length last told to clients
    double reported_at_ = 0, next_expiry_ = 0, next_look_at_names_ = 0;
};

}  // namespace edgeloop
