#pragma once

#include "link/socket.hpp"

#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/messages.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

struct DialOptions : BridgeAddress {
    wire::Hello hello;
    double max_back_off_s = 32;
};

/// The dialling side of a session: connects, says Hello, keeps the session alive with heartbeats,
/// and starts over with a new socket after a growing, jittered pause when the other side is silent.
///
/// Used by one thread only, except wake() and state().
class Dialer {
  public:
    Dialer(std::shared_ptr<ZmqContext> context, const DialOptions& options);

    /// Sends what is due, waits up to `seconds` for something to happen and returns what arrived.
    [[nodiscard]] std::vector<wire::Packet> exchange(double seconds);
    /// True once after each Welcome: everything open has to be said again.
    [[nodiscard]] bool take_opened() { return std::exchange(opened_, false); }
    [[nodiscard]] bool up() const { return phase_ == Phase::open; }
    /// Sends when the session is open; what can't be sent starts the session over.
    void send(wire::Message message, std::uint64_t request = 0);
    /// Heartbeats carry this from now on; `quiet` ones are five times as rare.
    void set_heartbeat(const wire::Heartbeat& heartbeat, bool quiet);
    /// Ends the session in order.
    void shut_down();

    void wake() { waker_.wake(); }
    /// "connected", or since when not and why.
    [[nodiscard]] std::string state(double now) const;
    /// Why the session is down, without the time.
    [[nodiscard]] const std::string& reason() const { return reason_; }

  private:
    enum class Phase { resting, greeting, waiting, open };

    void open_socket(double now);
    void fail(const std::string& reason, double now);
    void refused(const std::string& reason, double now);
    void greet(double now);
    void keep_alive(double now);
    void read_events(double now);
    void read_messages(std::vector<wire::Packet>& messages, double now);
    void handle(wire::Packet packet, std::vector<wire::Packet>& messages, double now);
    bool put(const wire::Message& message, std::uint64_t request);
    [[nodiscard]] double heartbeat_period() const;

    std::shared_ptr<ZmqContext> context_;
    DialOptions options_;
    Waker waker_;
    std::optional<zmq::socket_t> socket_;
    std::optional<SocketMonitor> monitor_;
    Phase phase_ = Phase::resting;
    bool opened_ = false;
    wire::Heartbeat heartbeat_;
    bool quiet_ = false;
    double heartbeat_s_ = 1;
    unsigned attempts_ = 0;
    double back_off_s_ = 0;
    double next_attempt_ = 0, greeted_ = 0, last_seen_ = 0, last_sent_ = 0, down_since_ = 0;
    std::string reason_, logged_reason_;
};

}  // namespace edgeloop
