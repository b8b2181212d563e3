#include "link/dialer.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double first_back_off_s = 0.05;
/// Whoever is refused tries again soon: lists change, and an earlier session of this name ends.
constexpr double max_refused_s = 2.5;
constexpr double max_answer_s = 5;  ///< a Hello without a Welcome for so long: start over
constexpr double quiet_factor = 5;
constexpr double missed_heartbeats = 5;
constexpr double quiet_missed_heartbeats = 3;
constexpr double greeting_poll_s = 0.005;
constexpr std::size_t messages_per_exchange = 256;

/// Whether the host of tcp://HOST:PORT may have several addresses.
bool is_network_name(const std::string& endpoint) {
    return endpoint.rfind("tcp://", 0) == 0 &&
           endpoint.find_first_not_of("0123456789.:", 6) != std::string::npos;
}

double jitter() { return 0.75 + 0.5 * static_cast<double>(random_bits() >> 11) * 0x1p-53; }

}  // namespace

Dialer::Dialer(std::shared_ptr<ZmqContext> context, const DialOptions& options)
    : context_(std::move(context)), options_(options), down_since_(steady_seconds()) {
    reason_ = "not connected yet";
}

void Dialer::open_socket(double now) {
    socket_.emplace(context_->context, zmq::socket_type::dealer);
    set_common_options(*socket_);
    // Of a name libzmq takes one address only: its IPv4 one and its first one in turn.
    const bool is_name = is_network_name(options_.endpoint);
    socket_->set(zmq::sockopt::ipv6, is_ipv6(options_.endpoint) || (is_name && attempts_ % 2 == 1));
    ++attempts_;
    socket_->set(zmq::sockopt::immediate, true);
    socket_->set(zmq::sockopt::reconnect_ivl, 100);
    socket_->set(zmq::sockopt::reconnect_ivl_max, 1000);
    if (!options_.keys.empty()) {
        socket_->set(zmq::sockopt::curve_serverkey, options_.server_key);
        socket_->set(zmq::sockopt::curve_publickey, options_.keys.public_key);
        socket_->set(zmq::sockopt::curve_secretkey, options_.keys.secret_key);
    }
    monitor_.emplace(context_->context, *socket_);
    socket_->connect(options_.endpoint);
    phase_ = Phase::greeting;
    greeted_ = now;
}

void Dialer::refused(const std::string& reason, double now) {
    fail("refused: " + reason, now);
    back_off_s_ = std::min(back_off_s_, max_refused_s);
    next_attempt_ = now + back_off_s_ * jitter();
}

void Dialer::fail(const std::string& reason, double now) {
    if (phase_ == Phase::open) {
        down_since_ = now;
        back_off_s_ = 0;
    }
    monitor_.reset();
    socket_.reset();
    phase_ = Phase::resting;
    back_off_s_ = std::clamp(back_off_s_ * 2, first_back_off_s, options_.max_back_off_s);
    next_attempt_ = now + back_off_s_ * jitter();
    reason_ = reason;
    if (logged_reason_ != reason) {
        logged_reason_ = reason;
        log::warning("link to {}: {}", options_.endpoint, reason);
    }
}

bool Dialer::put(const wire::Message& message, std::uint64_t request) {
    const std::string bytes = wire::encode({message, request});
    try {
        return send_now(*socket_, bytes);
    } catch (const CommError&) {
        return false;
    }
}

void Dialer::greet(double now) {
    if (phase_ == Phase::greeting && put(options_.hello, 0)) phase_ = Phase::waiting;
    if (now - greeted_ <= max_answer_s) return;
    fail(phase_ == Phase::greeting ? "no connection" : "connected, but no answer", now);
}

double Dialer::heartbeat_period() const { return heartbeat_s_ * (quiet_ ? quiet_factor : 1); }

void Dialer::keep_alive(double now) {
    const double missed = quiet_ ? quiet_missed_heartbeats : missed_heartbeats;
    if (now - last_seen_ > missed * heartbeat_period())
        return fail("the other side is silent", now);
    if (now - last_sent_ < heartbeat_period()) return;
    last_sent_ = now;
    if (!put(heartbeat_, 0)) fail("the connection does not take messages", now);
}

void Dialer::set_heartbeat(const wire::Heartbeat& heartbeat, bool quiet) {
    heartbeat_ = heartbeat;
    if (quiet != quiet_) last_seen_ = std::max(last_seen_, steady_seconds() - heartbeat_s_);
    quiet_ = quiet;
}

void Dialer::send(wire::Message message, std::uint64_t request) {
    if (phase_ != Phase::open) return;
    if (!put(message, request)) fail("the connection does not take messages", steady_seconds());
}

void Dialer::shut_down() {
    if (phase_ != Phase::open) return;
    put(wire::Shutdown{}, 0);
    monitor_.reset();
    socket_->set(zmq::sockopt::linger, 500);
    socket_.reset();
    phase_ = Phase::resting;
}

void Dialer::read_events(double now) {
    while (phase_ != Phase::resting) {
        const auto event = monitor_->next();
        if (!event) return;
        switch (*event) {
            case ConnectionEvent::accepted:
            case ConnectionEvent::connected:
                break;
            case ConnectionEvent::refused_key:
                refused("this side's key is not on the other's allow-list", now);
                break;
            case ConnectionEvent::failed_handshake:
                fail(
                    "the handshake failed: the bridge is not running behind this address, it has "
                    "another server key, or only one side uses keys",
                    now);
                break;
            case ConnectionEvent::disconnected:
                if (phase_ != Phase::greeting) fail("the connection was closed", now);
                break;
        }
    }
}

void Dialer::handle(wire::Packet packet, std::vector<wire::Packet>& messages, double now) {
    last_seen_ = now;
    if (const auto* welcome = std::get_if<wire::Welcome>(&packet.message)) {
        heartbeat_s_ = std::clamp(welcome->heartbeat_ms / 1000.0, 0.01, 60.0);
        const bool own_broker = options_.endpoint.rfind("inproc://", 0) == 0;
        if (phase_ != Phase::open && !own_broker)
            log::info("link to {}: connected", options_.endpoint);
        if (phase_ != Phase::open) --attempts_;  // this way works
        phase_ = Phase::open;
        opened_ = true;
        back_off_s_ = 0;
        reason_.clear();
        logged_reason_.clear();
        last_sent_ = 0;  // a heartbeat at once: it says what is held
    } else if (const auto* said_no = std::get_if<wire::Refused>(&packet.message);
               said_no && packet.request == 0) {
        refused(said_no->reason, now);
    } else if (std::holds_alternative<wire::UnknownSession>(packet.message)) {
        if (phase_ == Phase::open) fail("the other side has forgotten the session", now);
    } else if (!std::holds_alternative<wire::Heartbeat>(packet.message)) {
        messages.push_back(std::move(packet));
    }
}

void Dialer::read_messages(std::vector<wire::Packet>& messages, double now) {
    for (std::size_t i = 0; i < messages_per_exchange && phase_ != Phase::resting; ++i) {
        zmq::message_t frame;
        if (!receive_now(*socket_, frame)) return;
        const std::string_view bytes(static_cast<const char*>(frame.data()), frame.size());
        const int version = wire::claimed_version(bytes);
        if (version >= 0 && version != wire::protocol_version)
            return fail(wire::version_refusal(version), now);
        try {
            handle(wire::decode(bytes, options_.endpoint), messages, now);
        } catch (const CorruptState& error) {
            return fail(error.what(), now);
        }
    }
}

std::vector<wire::Packet> Dialer::exchange(double seconds) {
    std::vector<wire::Packet> messages;
    try {
        double now = steady_seconds();
        if (phase_ == Phase::resting && now >= next_attempt_) open_socket(now);
        if (phase_ == Phase::greeting || phase_ == Phase::waiting) greet(now);

        // While greeting, the hello has to be tried again soon; later, heartbeats are due.
        double wait = seconds;
        if (phase_ == Phase::greeting) wait = std::min(wait, greeting_poll_s);
        if (phase_ == Phase::open) wait = std::min(wait, heartbeat_s_ / 2);
        const auto milliseconds = std::chrono::milliseconds(std::lround(std::ceil(wait * 1000)));
        std::vector<zmq::socket_t*> sockets;
        if (socket_) sockets = {&*socket_, &monitor_->socket()};
        wait_for_input(sockets, waker_, milliseconds);
        waker_.clear();
        now = steady_seconds();
        if (phase_ != Phase::resting) read_messages(messages, now);
        read_events(now);
        if (phase_ == Phase::open) keep_alive(now);  // after reading: what waited unread counts
    } catch (const zmq::error_t& error) {
        fail(error.what(), steady_seconds());
    } catch (const CommError& error) {
        fail(error.what(), steady_seconds());
    }
    return messages;
}

std::string Dialer::state(double now) const {
    if (phase_ == Phase::open) return "connected";
    return fmt::format("down for {:.0f} s: {}", now - down_since_, reason_);
}

}  // namespace edgeloop
