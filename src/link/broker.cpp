#include "edgeloop/link/broker.hpp"

#include "link/allow_list.hpp"
#include "link/attempt.hpp"
#include "link/connections.hpp"
#include "link/fit.hpp"
#include "link/intake.hpp"
#include "link/memory.hpp"
#include "link/outbox.hpp"
#include "link/socket.hpp"
#include "link/zap.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/rare_log.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Read before answers are sent: so many large messages of one peer keep nobody waiting.
constexpr std::size_t messages_per_round = 512, bytes_per_round = 1 << 20;
constexpr std::size_t max_outgoing_bytes = 8 << 20;  ///< before they are sent
constexpr std::size_t max_strangers = 1024;          ///< remembered beside those with a session

constexpr int max_wait_ms = 100, watchful_wait_ms = 10;
constexpr const char* failed_handshake =
    "a connection ended in its handshake: the peer has another server key, or only one side uses "
    "keys";

/// Whether a message says that something is stored.
bool acknowledges(const wire::Message& message) {
    return std::holds_alternative<wire::Accepted>(message) ||
           std::holds_alternative<wire::ResultAck>(message);
}

Connections::Limits connection_limits(const BoardOptions& board) {
    Connections::Limits limits;
    limits.silent_s =
        std::max(limits::least_silence_s, limits::silence_factor * board.quiet_dead_s);
    limits.of_a_key = board.max_sessions / 2 + limits::spare_connections;
    return limits;
}

}  // namespace

struct Broker::Impl {
    Impl(const BrokerOptions& given, JobStore& memory)
        : options(given),
          store(memory),
          context(std::make_shared<ZmqContext>()),
          router(context->context, zmq::socket_type::router),
          outbox(router),
          connections(connection_limits(given.board)),
          watched_memory(given.max_memory_mib) {
        bind();
        thread = std::thread([this] { run(); });
    }
    ~Impl() {
        stopping = true;
        stop.wake();
        thread.join();
        monitor.reset();
        router.close();
    }

    /// Who has opened a session, as far as its connection showed.
    struct Known {
        std::string key;
        wire::Role role;
        int descriptor;
        std::uint64_t token;  ///< of the connection
    };
    /// A message as it came.
    struct Incoming {
        JobBoard::Session session;
        std::string_view bytes;
        Principal who;
        int descriptor;
    };

    void bind() {
        if (options.keys.empty() && !is_local_endpoint(options.endpoint) &&
            !options.allow_plain_network)
            throw ConfigError(
                fmt::format("'{}' can be reached by others and no key is given", options.endpoint),
                "anyone could submit jobs and read results",
                "make keys with 'edgeloop-bridge keygen', bind to 127.0.0.1 behind an ssh tunnel, "
                "or allow it explicitly with --insecure");
        try {
            set_common_options(router);
            set_small_buffers(router);
            router.set(zmq::sockopt::ipv6, is_ipv6(options.endpoint));
            router.set(zmq::sockopt::router_mandatory, true);
            if (!options.keys.empty()) secure();
            monitor.emplace(context->context, router);
            router.bind(local_endpoint);
            router.bind(options.endpoint);
            endpoint = router.get(zmq::sockopt::last_endpoint);
        } catch (const zmq::error_t& error) {
            throw CommError(fmt::format("cannot listen on '{}'", options.endpoint), error.what(),
                            "choose another port, or tcp://127.0.0.1:* for any free one");
        }
    }

    void secure() {
        allowed = AllowList(options.allow_list);
        // Before the router is bound.
        zap.emplace(context->context, zmq::socket_type::rep);
        zap->set(zmq::sockopt::linger, 0);
        zap->bind("inproc://zeromq.zap.01");
        router.set(zmq::sockopt::curve_server, true);
        router.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
        router.set(zmq::sockopt::zap_domain, std::string("edgeloop"));
    }

    void run() {
        std::exception_ptr what;
        try {
            JobBoard board(options.board, store, random_bits(), steady_seconds());
            while (!stopping) round(board);
            if (!store.commit())
                log::error(
                    "ended before everything was stored ({}); nothing of it was acknowledged",
                    store.trouble());
        } catch (const Error&) {
            what = std::current_exception();
        } catch (const std::exception& error) {
            what = std::make_exception_ptr(CommError("the broker stopped", error.what()));
        }
        const std::lock_guard lock(failure_mutex);
        failure = what;
    }

    /// Without this nothing more would be heard: what it throws ends the thread.
    void wait() {
        const bool is_watchful = connections.is_watchful() || !outbox.empty();
        const auto max_wait =
            std::chrono::milliseconds(std::clamp(static_cast<int>(options.board.heartbeat_s * 250),
                                                 5, is_watchful ? watchful_wait_ms : max_wait_ms));
        std::vector<zmq::socket_t*> sockets{&router, &monitor->socket()};
        if (zap) sockets.push_back(&*zap);
        wait_for_input(sockets, stop, max_wait);
        if (!stopping) stop.clear();
    }

    /// Whatever a part of it throws, the others and the next rounds go on.
    void round(JobBoard& board) {
        wait();
        const double now = steady_seconds();
        attempt(rare, "checking keys", [&] {
            refresh_keys(board, now);
            if (zap) answer_zap(*zap, allowed, rare, now);
        });
        attempt(rare, "reading connection events", [&] { read_events(now); });
        attempt(rare, "reading messages", [&] { read_messages(board, now); });
        attempt(rare, "looking after connections", [&] { look_at_connections(now); });
        attempt(rare, "looking after jobs", [&] { board.tick(now); });
        attempt(rare, "sending messages", [&] { flush(board, now); });
        attempt(rare, "writing its store", [&] { store.commit(); });
        if (probe_at == 0 || now < probe_at) return;
        probe_at = 0;
        attempt(rare, "looking for lost connections", [&] {
            board.probe_sessions();
            flush(board, now);
        });
    }

    /// The session of a key that is gone ends: its end is told to close the connection, and it does
    /// not get in again. If it says more its connection is ended here.
    void refresh_keys(JobBoard& board, double now) {
        if (!allowed.refresh(now, reread.exchange(false))) return;
        for (const auto& [session, peer] : known) {
            if (peer.key.empty() || !board.knows(session)) continue;
            const std::string refusal = allowed.refusal(peer.key, peer.role);
            if (refusal.empty()) continue;
            (void)send(session, {wire::Refused{refusal}, 0}, now);
            board.dismiss(session, now);
        }
        forget_strangers(board);
        board.forget_names([this](const std::string& key) { return allowed.contains(key); });
    }

    void forget_strangers(const JobBoard& board) {
        for (auto peer = known.begin(); peer != known.end();)
            peer = board.knows(peer->first) ? std::next(peer) : known.erase(peer);
    }

    void read_events(double now) {
        while (const auto event = monitor->next()) {
            if (*event == ConnectionEvent::accepted)
                connections.accepted(monitor->descriptor(), now);
            if (*event == ConnectionEvent::disconnected) {
                connections.closed(monitor->descriptor());
                // Of its session libzmq says nothing; a message to each finds out. The pause lets
                // it forget the route first.
                if (probe_at == 0) probe_at = now + 0.05;
            }
            if (*event == ConnectionEvent::failed_handshake)
                rare.warning("handshake", failed_handshake, now);
        }
    }

    void look_at_connections(double now) {
        for (const std::string& reason : connections.look(now))
            rare.warning("connection", reason, now);
        if (!watched_memory.is_over(now)) return;
        log::error(
            "resident memory is {} MiB, more than the limit of {}: {} ended, which searches and "
            "devices open again; keys with connections: {}",
            watched_memory.seen_mib(), options.max_memory_mib,
            plural(connections.count(), "connection"), connections.keys());
        connections.end_all();
    }

    /// Ends the connection that a message came over.
    void end_connection(const Incoming& message) {
        connections.end(message.descriptor, connections.token(message.descriptor));
    }

    /// Ends the connection of a session that is over.
    void end_connection(const JobBoard::Session& session) {
        const auto peer = known.find(session);
        if (peer == known.end()) return;
        connections.end(peer->second.descriptor, peer->second.token);
        known.erase(peer);
    }

    void read_messages(JobBoard& board, double now) {
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < messages_per_round && bytes < bytes_per_round; ++i) {
            zmq::message_t route, body;
            if (!receive_now(router, route)) return;
            std::size_t frames = 0;
            for (bool more = route.more(); more; more = body.more(), ++frames)
                if (!receive_now(router, body)) break;
            bytes += body.size();
            const int descriptor = descriptor_of(body);
            const std::string key = zap ? property_of(body, "User-Id") : "";
            connections.spoke(descriptor, key, now);
            const Incoming message{route.to_string(),
                                   {static_cast<const char*>(body.data()), body.size()},
                                   {key, key.empty() || allowed.operates(key)},
                                   descriptor};
            if (frames == 1)
                receive(board, message, now);
            else
                end_for_frames(message, now);
            if (board.outgoing_bytes() > max_outgoing_bytes) flush(board, now);
        }
    }

    void end_for_frames(const Incoming& message, double now) {
        const std::string key = message.who.key.empty() ? "" : " of key " + message.who.key;
        rare.warning("frames", "a connection" + key + " is ended: its message has several frames",
                     now);
        end_connection(message);
    }

    /// No message of a peer may end the broker, whatever it makes of it.
    void receive(JobBoard& board, const Incoming& message, double now) {
        const std::string& payer = message.who.key.empty() ? message.session : message.who.key;
        if (!intake.takes(payer, message.bytes.size(), now)) {
            rare.warning("rate", "a peer sends too much; some of it is dropped", now);
            return;
        }
        bool over = false;
        try {
            take(board, message, now);
        } catch (const IoError& error) {  // it is said again, when it is not answered
            rare.warning("store", fmt::format("a message was not handled: {}", error.what()), now);
        } catch (const CorruptState& error) {
            rare.warning("undecodable", error.what(), now);
            over = !intake.forgives(message.session, now);
        } catch (const std::exception& error) {
            report_bug(rare, "handling a message", error);
            over = true;
        }
        if (!over) return;
        board.disconnected(message.session, now);
        end_connection(message);
    }

    void take(JobBoard& board, const Incoming& message, double now) {
        const int version = wire::claimed_version(message.bytes);
        if (version >= 0 && version != wire::protocol_version) {
            const std::string refusal = wire::version_refusal(version);
            rare.warning("version", refusal, now);
            (void)send(message.session, {wire::Refused{refusal}, 0}, now);
            return;
        }
        const wire::Packet packet = wire::decode(message.bytes, "a peer");
        if (!admits(message, packet, now)) return;
        board.receive(message.session, packet, now, message.who);
        if (known.size() > options.board.max_sessions + max_strangers) forget_strangers(board);
    }

    /// Whether this key is still listed, and for the role of a Hello.
    bool admits(const Incoming& message, const wire::Packet& packet, double now) {
        const std::string& key = message.who.key;
        const auto* hello = std::get_if<wire::Hello>(&packet.message);
        if (hello == nullptr) {
            if (key.empty() || allowed.contains(key)) return true;
            end_connection(message);
            return false;
        }
        const std::string refusal = key.empty() ? "" : allowed.refusal(key, hello->role);
        if (refusal.empty()) {
            known[message.session] = {key, hello->role, message.descriptor,
                                      connections.token(message.descriptor)};
            return true;
        }
        rare.warning("role", fmt::format("'{}' (key {}): {}", printable(hello->name), key, refusal),
                     now);
        (void)send(message.session, {wire::Refused{refusal}, 0}, now);
        return false;
    }

    void flush(JobBoard& board, double now) {
        for (const JobBoard::Session& session : outbox.retry(now)) give_up(board, session, now);
        for (auto outgoing = board.take_outgoing(); !outgoing.empty();
             outgoing = board.take_outgoing()) {
            const bool is_durable = store.commit();
            for (const auto& [to, packet] : outgoing)
                // What is not stored yet is asked again when it is not acknowledged.
                if (is_durable || !acknowledges(packet.message))
                    if (!send(to, packet, now)) give_up(board, to, now);
        }
    }

    void give_up(JobBoard& board, const JobBoard::Session& session, double now) {
        board.disconnected(session, now);
        end_connection(session);
    }

    /// @return false when the connection is gone or takes nothing.
    bool send(const JobBoard::Session& to, const wire::Packet& packet, double now) {
        std::string encoded;
        try {
            encoded = wire::encode(packet);
        } catch (const std::exception& error) {
            report_bug(rare, "encoding a message", error);
            return true;
        }
        return outbox.send(to, std::move(encoded), now);
    }

    BrokerOptions options;
    JobStore& store;
    std::shared_ptr<ZmqContext> context;
    AllowList allowed;
    std::optional<zmq::socket_t> zap;  ///< answers libzmq's authentication requests
    zmq::socket_t router;
    Outbox outbox;
    std::optional<SocketMonitor> monitor;
    Connections connections;
    MemoryWatch watched_memory;
    Intake intake;
    RareLog rare;
    std::map<JobBoard::Session, Known> known;
    std::string endpoint, local_endpoint = "inproc://edgeloop-broker";
    double probe_at = 0;  ///< when to find out which connection was lost; 0: no need
    Waker stop;
    std::atomic<bool> stopping{false}, reread{false};
    mutable std::mutex failure_mutex;
    std::exception_ptr failure;
    std::thread thread;
};

Broker::Broker(const BrokerOptions& options, JobStore& store)
    : impl_(std::make_unique<Impl>(options, store)) {}
Broker::~Broker() = default;

void Broker::reread_keys() {
    impl_->reread = true;
    impl_->stop.wake();
}

const std::string& Broker::endpoint() const { return impl_->endpoint; }
const std::string& Broker::local_endpoint() const { return impl_->local_endpoint; }
std::shared_ptr<ZmqContext> Broker::context() const { return impl_->context; }

void Broker::check() const {
    const std::lock_guard lock(impl_->failure_mutex);
    if (impl_->failure) std::rethrow_exception(impl_->failure);
}

}  // namespace edgeloop
