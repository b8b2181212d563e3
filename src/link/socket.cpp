#include "link/socket.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/link/limits.hpp"
#include "edgeloop/link/messages.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr int queue_limit = 1000;
constexpr int kernel_buffer_bytes = 256 << 10;

}  // namespace

Waker::Waker() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (descriptor() < 0) throw IoError("cannot create an eventfd", std::strerror(errno));
}

void Waker::wake() {
    const std::uint64_t one = 1;
    // Full is as good as written: the other side wakes either way.
    [[maybe_unused]] const ssize_t written = ::write(descriptor(), &one, sizeof one);
}

void Waker::clear() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(descriptor(), &count, sizeof count);
}

SocketMonitor::SocketMonitor(zmq::context_t& context, zmq::socket_t& socket)
    : watched_(socket), events_(context, zmq::socket_type::pair) {
    static std::atomic<unsigned> serial{0};
    const std::string endpoint = fmt::format("inproc://monitor-{}", serial++);
    constexpr int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (zmq_socket_monitor(socket.handle(), endpoint.c_str(), events) != 0)
        throw CommError("cannot watch a socket", zmq_strerror(zmq_errno()));
    events_.set(zmq::sockopt::linger, 0);
    events_.connect(endpoint);
}

SocketMonitor::~SocketMonitor() { zmq_socket_monitor(watched_.handle(), nullptr, 0); }

std::optional<ConnectionEvent> SocketMonitor::next() {
    zmq::message_t head, address;
    std::uint16_t number = 0;
    std::int32_t value = -1;
    if (!receive_now(events_, head)) return std::nullopt;
    while (head.more() && receive_now(events_, address) && address.more()) {
    }
    if (head.size() == sizeof number + sizeof value) {
        std::memcpy(&number, head.data(), sizeof number);
        std::memcpy(&value, static_cast<const char*>(head.data()) + sizeof number, sizeof value);
    }
    if (number == ZMQ_EVENT_ACCEPTED || number == ZMQ_EVENT_DISCONNECTED) descriptor_ = value;
    switch (number) {
        case ZMQ_EVENT_ACCEPTED:
            return ConnectionEvent::accepted;
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            return ConnectionEvent::connected;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            return ConnectionEvent::refused_key;
        case ZMQ_EVENT_DISCONNECTED:
            return ConnectionEvent::disconnected;
        default:
            return ConnectionEvent::failed_handshake;
    }
}

bool is_ipv6(const std::string& endpoint) { return endpoint.rfind("tcp://[", 0) == 0; }

void set_common_options(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, queue_limit);
    socket.set(zmq::sockopt::rcvhwm, queue_limit);
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(wire::max_message_bytes));
    socket.set(zmq::sockopt::handshake_ivl, 10'000);
    socket.set(zmq::sockopt::heartbeat_ivl, 5'000);
    socket.set(zmq::sockopt::heartbeat_timeout, 20'000);
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::tcp_keepalive_idle, 30);
    socket.set(zmq::sockopt::tcp_keepalive_intvl, 10);
    socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
}

void set_small_buffers(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::rcvhwm, limits::unread_messages);
    socket.set(zmq::sockopt::sndhwm, limits::unsent_messages);
    socket.set(zmq::sockopt::rcvbuf, kernel_buffer_bytes);
    socket.set(zmq::sockopt::sndbuf, kernel_buffer_bytes);
}

bool receive_now(zmq::socket_t& socket, zmq::message_t& message) {
    while (zmq_msg_recv(message.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() == EAGAIN) return false;
        if (zmq_errno() != EINTR)
            throw CommError("cannot receive a message", zmq_strerror(zmq_errno()));
    }
    return true;
}

bool send_now(zmq::socket_t& socket, std::string_view bytes, bool more) {
    const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    while (zmq_send(socket.handle(), bytes.data(), bytes.size(), flags) < 0) {
        if (zmq_errno() == EAGAIN) return false;
        if (zmq_errno() != EINTR)
            throw CommError("cannot send a message", zmq_strerror(zmq_errno()));
    }
    return true;
}

Delivery deliver_now(zmq::socket_t& router, std::string_view route, std::string_view bytes) {
    constexpr int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    while (zmq_send(router.handle(), route.data(), route.size(), flags) < 0) {
        if (zmq_errno() == EAGAIN) return Delivery::no_room;
        if (zmq_errno() == EHOSTUNREACH) return Delivery::no_route;
        if (zmq_errno() != EINTR)
            throw CommError("cannot send a message", zmq_strerror(zmq_errno()));
    }
    return send_now(router, bytes) ? Delivery::done : Delivery::no_room;
}

std::string property_of(const zmq::message_t& message, const char* name) {
    const char* value = zmq_msg_gets(message.handle(), name);
    return value != nullptr ? value : "";
}

int descriptor_of(const zmq::message_t& message) {
    return zmq_msg_get(message.handle(), ZMQ_SRCFD);
}

void wait_for_input(const std::vector<zmq::socket_t*>& sockets, const Waker& waker,
                    std::chrono::milliseconds timeout) {
    std::vector<zmq::pollitem_t> items{{nullptr, waker.descriptor(), ZMQ_POLLIN, 0}};
    for (zmq::socket_t* socket : sockets) items.push_back({socket->handle(), 0, ZMQ_POLLIN, 0});
    if (zmq_poll(items.data(), static_cast<int>(items.size()), timeout.count()) < 0 &&
        zmq_errno() != EINTR)
        throw CommError("cannot wait for messages", zmq_strerror(zmq_errno()));
}

std::uint64_t random_bits() {
    thread_local std::mt19937_64 engine = [] {
        std::random_device device;
        return std::mt19937_64((static_cast<std::uint64_t>(device()) << 32) ^ device());
    }();
    return engine();
}

}  // namespace edgeloop
