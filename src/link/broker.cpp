#include "edgeloop/link/broker.hpp"

#include "link/allow_list.hpp"
#include "link/fit.hpp"
#include "link/socket.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/rare_log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t messages_per_round = 512;
constexpr std::size_t max_rate_table = 4096;
constexpr std::size_t max_key_table = 1024;
constexpr int bad_messages_allowed = 3;
/// Per session; what is more is dropped.
constexpr double max_messages_per_s = 5000, max_burst = 20000;

/// Token buckets and error counts by session, forgotten when the table grows too large.
class RateLimiter {
  public:
    bool within_rate(const std::string& session, double now) {
        Entry& entry = find(session, now);
        entry.tokens = std::min(max_burst, entry.tokens + (now - entry.time) * max_messages_per_s);
        entry.time = now;
        if (entry.tokens < 1) return false;
        entry.tokens -= 1;
        return true;
    }
    bool bad_again(const std::string& session, double now) {
        return ++find(session, now).bad > bad_messages_allowed;
    }

  private:
    struct Entry {
        double tokens, time;
        int bad = 0;
    };
    Entry& find(const std::string& session, double now) {
        if (entries_.size() > max_rate_table) entries_.clear();
        return entries_.try_emplace(session, Entry{max_burst, now}).first->second;
    }

    std::unordered_map<std::string, Entry> entries_;
};

constexpr std::size_t key_bytes = 32, key_text_bytes = 40;
constexpr int requests_per_round = 64;

std::string key_text(const zmq::message_t& raw) {
    if (raw.size() != key_bytes) return {};
    std::array<char, key_text_bytes + 1> text{};
    zmq_z85_encode(text.data(), static_cast<const std::uint8_t*>(raw.data()), key_bytes);
    return text.data();
}

/// The parts of the next request: version, request id, domain, address, identity, mechanism,
/// credentials. Empty when there is none.
std::vector<zmq::message_t> next_request(zmq::socket_t& socket) {
    std::vector<zmq::message_t> frames(1);
    if (!receive_now(socket, frames.back())) return {};
    while (frames.back().more()) {
        frames.emplace_back();
        if (!receive_now(socket, frames.back())) break;  // libzmq delivers all parts or none
    }
    return frames;
}

/// Answers what libzmq asks of one context (ZAP, RFC 27), at most a bounded number at a time: only
/// listed keys enter. Every message of an admitted connection carries the key as its property
/// "User-Id".
void answer_zap(zmq::socket_t& socket, const AllowList& allow_list, RareLog& log, double now) {
    for (int i = 0; i < requests_per_round; ++i) {
        const std::vector<zmq::message_t> frames = next_request(socket);
        if (frames.empty()) return;
        const std::string mechanism = frames.size() > 5 ? frames[5].to_string() : "";
        const std::string key = frames.size() > 6 ? key_text(frames[6]) : "";
        const bool allowed = mechanism == "CURVE" && allow_list.contains(key);
        if (!allowed)
            log.warning("key",
                        fmt::format("connection from {} refused: key '{}' is not on the "
                                    "allow-list",
                                    frames.size() > 3 ? frames[3].to_string() : "?", key),
                        now);
        const std::string request = frames.size() > 1 ? frames[1].to_string() : "";
        const std::array<std::string, 6> reply = {
            "1.0", request, allowed ? "200" : "400", allowed ? "OK" : "not on the allow-list",
            key,   ""};
        for (std::size_t part = 0; part < reply.size(); ++part)
            if (!send_now(socket, reply[part], part + 1 < reply.size())) return;
    }
}

}  // namespace

struct Broker::Impl {
    Impl(const BrokerOptions& given, JobStore& memory)
        : options(given),
          store(memory),
          context(std::make_shared<ZmqContext>()),
          router(context->context, zmq::socket_type::router) {
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

    /// A session whose connection showed a key.
    struct Keyed {
        std::string key;
        wire::Role role;
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
            step = "writing its store";
            store.commit();
        } catch (const Error&) {
            what = std::current_exception();
        } catch (const std::exception& error) {
            what = std::make_exception_ptr(
                CommError(fmt::format("the broker stopped while {}", step), error.what()));
        }
        const std::lock_guard lock(failure_mutex);
        failure = what;
    }

    void wait() {
        const auto max_wait = std::chrono::milliseconds(
            std::clamp(static_cast<int>(options.board.heartbeat_s * 250), 5, 250));
        std::vector<zmq::socket_t*> sockets{&router, &monitor->socket()};
        if (zap) sockets.push_back(&*zap);
        wait_for_input(sockets, stop, max_wait);
        if (!stopping) stop.clear();
    }

    void round(JobBoard& board) {
        step = "waiting for messages";
        wait();
        const double now = steady_seconds();
        step = "checking keys";
        refresh_keys(board, now);
        if (zap) answer_zap(*zap, allowed, rare, now);
        step = "reading connection events";
        read_events(now);
        step = "reading messages";
        read_messages(board, now);
        step = "looking after jobs";
        board.tick(now);
        step = "sending messages";
        flush(board, now);
        step = "writing its store";
        store.commit();
        if (probe_at != 0 && now >= probe_at) {
            probe_at = 0;
            board.probe_sessions();
            flush(board, now);
        }
    }

    /// libzmq cannot end one connection: its session ends here, its end is told to close it, and it
    /// does not get in again.
    void refresh_keys(JobBoard& board, double now) {
        if (!allowed.refresh(now, reread.exchange(false))) return;
        for (auto peer = keyed.begin(); peer != keyed.end();) {
            const auto& [session, shown] = *peer;
            const std::string refusal = allowed.refusal(shown.key, shown.role);
            if (!refusal.empty()) {
                send(session, {wire::Refused{refusal}, 0});
                board.dismiss(session, now);
            }
            peer = board.knows(session) ? std::next(peer) : keyed.erase(peer);
        }
    }

    void read_events(double now) {
        while (const auto event = monitor->next()) {
            // libzmq does not say whose connection ended; a message to each session finds out. The
            // pause lets it forget the route first.
            if (*event == ConnectionEvent::disconnected && probe_at == 0) probe_at = now + 0.05;
            if (*event == ConnectionEvent::failed_handshake)
                rare.warning(
                    "handshake",
                    "a connection ended in its handshake: the peer has another server key, or "
                    "only one side uses keys",
                    now);
        }
    }

    void read_messages(JobBoard& board, double now) {
        for (std::size_t i = 0; i < messages_per_round; ++i) {
            zmq::message_t route, body;
            if (!receive_now(router, route)) return;
            std::size_t frames = 0;
            for (bool more = route.more(); more; more = body.more(), ++frames)
                if (!receive_now(router, body)) break;
            if (frames == 1)  // anything else is not one of our messages
                receive(board, route.to_string(), body, now);
        }
    }

    /// Whether this key may say this: it is still listed, and a Hello is for the role it is listed
    /// for.
    /// @param key  empty: from this process.
    bool admits(const std::string& session, const std::string& key, const wire::Packet& packet,
                double now) {
        if (!zap || key.empty()) return true;
        const auto* hello = std::get_if<wire::Hello>(&packet.message);
        if (hello == nullptr) return allowed.contains(key);
        const std::string refusal = allowed.refusal(key, hello->role);
        if (refusal.empty()) {
            keyed[session] = {key, hello->role};
            return true;
        }
        rare.warning("role", fmt::format("'{}' (key {}): {}", printable(hello->name), key, refusal),
                     now);
        send(session, {wire::Refused{refusal}, 0});
        return false;
    }

    /// No message of a peer may end the broker, whatever it makes of it.
    void receive(JobBoard& board, const std::string& session, const zmq::message_t& message,
                 double now) {
        const std::string_view bytes(static_cast<const char*>(message.data()), message.size());
        if (!limiter.within_rate(session, now)) {
            rare.warning("rate", "a session sends too many messages; some are dropped", now);
            return;
        }
        try {
            take(board, session, property_of(message, "User-Id"), bytes, now);
        } catch (const IoError&) {
            throw;  // the store: nothing can be promised any more
        } catch (const CorruptState& error) {
            rare.warning("undecodable", error.what(), now);
            if (limiter.bad_again(session, now)) board.disconnected(session, now);
        } catch (const std::exception& error) {
            rare.warning(
                "unexpected",
                fmt::format("a message could not be handled: {} (this is a bug in edgeloop, "
                            "please report it)",
                            error.what()),
                now);
            board.disconnected(session, now);
        }
    }

    void take(JobBoard& board, const std::string& session, const std::string& key,
              std::string_view bytes, double now) {
        const int version = wire::claimed_version(bytes);
        if (version >= 0 && version != wire::protocol_version) {
            const std::string refusal = wire::version_refusal(version);
            rare.warning("version", refusal, now);
            send(session, {wire::Refused{refusal}, 0});
            return;
        }
        const wire::Packet packet = wire::decode(bytes, "a peer");
        if (admits(session, key, packet, now)) board.receive(session, packet, now);
        if (keyed.size() > max_key_table)
            for (auto peer = keyed.begin(); peer != keyed.end();)
                peer = board.knows(peer->first) ? std::next(peer) : keyed.erase(peer);
    }

    void flush(JobBoard& board, double now) {
        for (auto outgoing = board.take_outgoing(); !outgoing.empty();
             outgoing = board.take_outgoing()) {
            store.commit();
            for (const auto& [to, packet] : outgoing)
                if (!send(to, packet)) board.disconnected(to, now);
        }
    }

    /// @return false when the connection is gone or takes nothing.
    bool send(const JobBoard::Session& to, const wire::Packet& packet) {
        std::string bytes;
        try {
            bytes = wire::encode(packet);
        } catch (const std::exception& error) {
            rare.warning("unsendable", fmt::format("a message was not sent: {}", error.what()),
                         steady_seconds());
            return true;
        }
        return send_now(router, to, true) && send_now(router, bytes);
    }

    BrokerOptions options;
    JobStore& store;
    std::shared_ptr<ZmqContext> context;
    AllowList allowed;
    std::optional<zmq::socket_t> zap;  ///< answers libzmq's authentication requests
    zmq::socket_t router;
    std::optional<SocketMonitor> monitor;
    RateLimiter limiter;
    RareLog rare;
    std::map<JobBoard::Session, Keyed> keyed;
    std::string endpoint, local_endpoint = "inproc://edgeloop-broker";
    double probe_at = 0;            ///< when to find out which connection was lost; 0: no need
    const char* step = "starting";  ///< for the report, should it end the thread
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
