#pragma once

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/link/keys.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

namespace edgeloop {

/// libzmq's context; one per broker or probe, shared by the sockets of that object.
class ZmqContext {
  public:
    zmq::context_t context{1};
};

/// Wakes a thread that polls: an eventfd, because libzmq sockets must not be shared by threads.
class Waker {
  public:
    Waker();
    void wake();   ///< from any thread
    void clear();  ///< by the thread that polls
    [[nodiscard]] int descriptor() const { return descriptor_.get(); }

  private:
    Descriptor descriptor_;
};

/// What a socket's connection went through, from libzmq's monitor.
enum class ConnectionEvent { accepted, connected, disconnected, refused_key, failed_handshake };

/// Listens to the connection events of one socket.
class SocketMonitor {
  public:
    /// REQUIRES: `socket` outlives this object's use by its owner's thread.
    SocketMonitor(zmq::context_t& context, zmq::socket_t& socket);
    ~SocketMonitor();
    SocketMonitor(const SocketMonitor&) = delete;
    SocketMonitor& operator=(const SocketMonitor&) = delete;

    /// The next event, or nothing. Never waits.
    std::optional<ConnectionEvent> next();
    /// Of the connection that was accepted or disconnected last; another may have it by now.
    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] zmq::socket_t& socket() { return events_; }

  private:
    zmq::socket_t& watched_;
    zmq::socket_t events_;
    int descriptor_ = -1;
};

/// Whether this endpoint is an IPv6 address: [::1]. Such sockets speak IPv4 too, where bound to
/// [::].
[[nodiscard]] bool is_ipv6(const std::string& endpoint);

/// Options every socket of the link has: bounded queues and messages, keep-alive on two layers,
/// nothing lingering at close.
void set_common_options(zmq::socket_t& socket);

/// After set_common_options(): what a listening socket keeps of each of its many peers, in libzmq,
/// which counts messages of up to 256 KiB, and in the kernel.
void set_small_buffers(zmq::socket_t& socket);

// cppzmq throws where libzmq says "not now" or "not there": a signal that arrives during a call, a
// property that a message lacks. These say so with a value.

/// Takes a message that is there. @return false when there is none. @throws CommError.
[[nodiscard]] bool receive_now(zmq::socket_t& socket, zmq::message_t& message);
/// Hands a message over, or with `more` a part of one. @return false when there is no room. @throws
/// CommError.
[[nodiscard]] bool send_now(zmq::socket_t& socket, std::string_view bytes, bool more = false);
/// What became of a message that a ROUTER was to hand to a peer.
enum class Delivery { done, no_room, no_route };
/// REQUIRES: the router is mandatory. @throws CommError.
[[nodiscard]] Delivery deliver_now(zmq::socket_t& router, std::string_view route,
                                   std::string_view bytes);
/// A property of a received message, e.g. "User-Id"; empty when it has none.
[[nodiscard]] std::string property_of(const zmq::message_t& message, const char* name);
/// Of the connection that a message came over; negative: none, it is from this process.
[[nodiscard]] int descriptor_of(const zmq::message_t& message);

/// zmq_poll over sockets and a waker. A broken wait (EINTR) ends it early.
void wait_for_input(const std::vector<zmq::socket_t*>& sockets, const Waker& waker,
                    std::chrono::milliseconds timeout);

/// Random bits for nonces and jitter (not for keys).
[[nodiscard]] std::uint64_t random_bits();

}  // namespace edgeloop
