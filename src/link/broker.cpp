#include "edgeloop/link/broker.hpp"

#include "link/socket.hpp"
#include "link/zap.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t messages_per_round = 512;
constexpr std::size_t largest_rate_table = 4096;
constexpr int bad_messages_allowed = 3;
constexpr double log_every_s = 10;

/// Token buckets and error counts by session, forgotten when the table grows too large.
class Manners {
  public:
    Manners(double per_s, double burst) : per_s_(per_s), burst_(burst) {}

    bool within_rate(const std::string& session, double now) {
        Entry& entry = find(session, now);
        entry.tokens = std::min(burst_, entry.tokens + (now - entry.time) * per_s_);
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
        if (entries_.size() > largest_rate_table) entries_.clear();
        return entries_.try_emplace(session, Entry{burst_, now}).first->second;
    }

    double per_s_, burst_;
    std::unordered_map<std::string, Entry> entries_;
};

/// Passes one line every few seconds and says how many it kept back.
class RareLog {
  public:
    void warning(const std::string& text, double now) {
        if (now - last_ < log_every_s) {
            ++held_back_;
            return;
        }
        log::warning("{}{}", text,
                     held_back_ > 0 ? fmt::format(" ({} similar ones not shown)", held_back_) : "");
        last_ = now;
        held_back_ = 0;
    }

  private:
    double last_ = -1e9;
    std::size_t held_back_ = 0;
};

}  // namespace

struct Broker::Impl {
    Impl(const BrokerOptions& given, JobStore& memory)
        : options(given),
          store(memory),
          context(std::make_shared<ZmqContext>()),
          router(context->context, zmq::socket_type::router),
          manners(given.messages_per_s, given.message_burst) {}

    void bind();
    void run();
    void round(JobBoard& board);
    void read_events(double now);
    void read_messages(JobBoard& board, double now);
    void receive(JobBoard& board, const std::string& session, zmq::message_t& message, double now);
    bool admits(const std::string& session, zmq::message_t& message, const wire::Packet& packet,
                double now);
    void flush(JobBoard& board, double now);
    bool send(const JobBoard::Session& to, const wire::Packet& packet);

    BrokerOptions options;
    JobStore& store;
    std::shared_ptr<ZmqContext> context;
    std::optional<ZapServer> zap;
    zmq::socket_t router;
    std::optional<SocketMonitor> monitor;
    Manners manners;
    RareLog handshake_log, message_log;
    std::string endpoint, local_endpoint = "inproc://edgeloop-broker";
    double probe_at = 0;  ///< when to find out which connection was lost; 0: no need
    Waker stop;
    std::atomic<bool> stopping{false};
    mutable std::mutex failure_mutex;
    std::exception_ptr failure;
    std::thread thread;
};

void Broker::Impl::bind() {
    if (options.keys.empty() && !is_local_endpoint(options.endpoint) &&
        !options.allow_plain_network)
        throw ConfigError(
            fmt::format("'{}' can be reached by others and no key is given", options.endpoint),
            "anyone could submit jobs and read results",
            "make keys with 'edgeloop-bridge keygen', bind to 127.0.0.1 behind an ssh tunnel, or "
            "allow it explicitly with --insecure");
    try {
        set_common_options(router);
        router.set(zmq::sockopt::router_mandatory, true);
        if (!options.keys.empty()) {
            zap.emplace(context, options.allowed_keys);
            router.set(zmq::sockopt::curve_server, true);
            router.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
            router.set(zmq::sockopt::zap_domain, std::string("edgeloop"));
        }
        monitor.emplace(context->context, router);
        router.bind(local_endpoint);
        router.bind(options.endpoint);
        endpoint = router.get(zmq::sockopt::last_endpoint);
    } catch (const zmq::error_t& error) {
        throw CommError(fmt::format("cannot listen on '{}'", options.endpoint), error.what(),
                        "choose another port, or tcp://127.0.0.1:* for any free one");
    }
}

void Broker::Impl::run() {
    try {
        JobBoard board(options.board, store, random_bits(), steady_seconds());
        while (!stopping) round(board);
        store.commit();
    } catch (const zmq::error_t& error) {
        const std::lock_guard lock(failure_mutex);
        failure = std::make_exception_ptr(CommError("the broker stopped", error.what()));
    } catch (...) {
        const std::lock_guard lock(failure_mutex);
        failure = std::current_exception();
    }
}

void Broker::Impl::round(JobBoard& board) {
    const auto wait = std::chrono::milliseconds(
        std::clamp(static_cast<int>(options.board.heartbeat_s * 250), 5, 250));
    wait_for_input(router, monitor->socket(), stop, wait);
    const double now = steady_seconds();
    read_events(now);
    read_messages(board, now);
    board.tick(now);
    flush(board, now);
    if (probe_at != 0 && now >= probe_at) {
        probe_at = 0;
        board.probe_sessions();
        flush(board, now);
    }
}

void Broker::Impl::read_events(double now) {
    while (const auto event = monitor->next()) {
        // libzmq does not say whose connection ended; a message to each session finds out. The
        // pause lets it forget the route first.
        if (event->kind == ConnectionEvent::Kind::disconnected && probe_at == 0)
            probe_at = now + 0.05;
        if (event->kind == ConnectionEvent::Kind::failed_handshake)
            handshake_log.warning(
                "a connection ended in its handshake: the peer has another server key, or only one "
                "side uses keys",
                now);
    }
}

void Broker::Impl::read_messages(JobBoard& board, double now) {
    for (std::size_t i = 0; i < messages_per_round; ++i) {
        zmq::message_t route, body;
        if (!router.recv(route, zmq::recv_flags::dontwait)) return;
        std::size_t frames = 0;
        for (bool more = route.more(); more; more = body.more(), ++frames)
            if (!router.recv(body, zmq::recv_flags::dontwait)) break;
        if (frames == 1)  // anything else is not one of our messages
            receive(board, route.to_string(), body, now);
    }
}

/// A listed key may be bound to one role.
bool Broker::Impl::admits(const std::string& session, zmq::message_t& message,
                          const wire::Packet& packet, double now) {
    const auto* hello = std::get_if<wire::Hello>(&packet.message);
    if (hello == nullptr || !zap) return true;
    const char* key = message.gets("User-Id");
    if (key == nullptr) return true;  // from this process
    const std::string refusal = zap->refusal(key, hello->role);
    if (refusal.empty()) return true;
    message_log.warning(fmt::format("'{}' (key {}): {}", hello->name, key, refusal), now);
    send(session, {wire::Refused{refusal}, 0});
    return false;
}

void Broker::Impl::receive(JobBoard& board, const std::string& session, zmq::message_t& message,
                           double now) {
    const std::string_view bytes(static_cast<const char*>(message.data()), message.size());
    if (!manners.within_rate(session, now)) {
        message_log.warning("a session sends too many messages; some are dropped", now);
        return;
    }
    const int version = wire::claimed_version(bytes);
    if (version >= 0 && version != wire::protocol_version) {
        const std::string refusal = wire::version_refusal(version);
        message_log.warning(refusal, now);
        send(session, {wire::Refused{refusal}, 0});
        return;
    }
    try {
        const wire::Packet packet = wire::decode(bytes, "a peer");
        if (admits(session, message, packet, now)) board.receive(session, packet, now);
    } catch (const CorruptState& error) {
        message_log.warning(error.what(), now);
        if (manners.bad_again(session, now)) board.disconnected(session, now);
    }
}

void Broker::Impl::flush(JobBoard& board, double now) {
    for (auto outgoing = board.take_outgoing(); !outgoing.empty();
         outgoing = board.take_outgoing()) {
        store.commit();
        for (const auto& [to, packet] : outgoing)
            if (!send(to, packet)) board.disconnected(to, now);
    }
}

bool Broker::Impl::send(const JobBoard::Session& to, const wire::Packet& packet) {
    const std::string bytes = wire::encode(packet);
    try {
        const auto flags = zmq::send_flags::dontwait | zmq::send_flags::sndmore;
        if (!router.send(zmq::buffer(to), flags)) return false;
        return router.send(zmq::buffer(bytes), zmq::send_flags::dontwait).has_value();
    } catch (const zmq::error_t& error) {
        if (error.num() == EHOSTUNREACH) return false;
        throw;
    }
}

Broker::Broker(const BrokerOptions& options, JobStore& store)
    : impl_(std::make_unique<Impl>(options, store)) {
    impl_->bind();
    impl_->thread = std::thread([this] { impl_->run(); });
}

Broker::~Broker() {
    impl_->stopping = true;
    impl_->stop.wake();
    impl_->thread.join();
    impl_->monitor.reset();
    impl_->router.close();
}

const std::string& Broker::endpoint() const { return impl_->endpoint; }
const std::string& Broker::local_endpoint() const { return impl_->local_endpoint; }
std::shared_ptr<ZmqContext> Broker::context() const { return impl_->context; }

void Broker::check() const {
    const std::lock_guard lock(impl_->failure_mutex);
    if (impl_->failure) std::rethrow_exception(impl_->failure);
}

}  // namespace edgeloop
