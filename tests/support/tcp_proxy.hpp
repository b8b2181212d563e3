#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace edgeloop::test {

/// A bad internet link between 127.0.0.1 ports: delay with jitter, limited bandwidth, resets,
/// partitions during which connections stay open but nothing passes, and connections that stay open
/// at both ends though nothing will ever pass again.
class TcpProxy {
  public:
    struct Weather {
        double delay_ms = 0, jitter_ms = 0;  ///< one way
        double bytes_per_s = 1e9;            ///< per connection and direction
    };

    TcpProxy(std::uint16_t target_port, Weather weather)
        : target_port_(target_port), weather_(weather), listener_(listen_anywhere()) {
        thread_ = std::thread([this] { run(); });
    }
    ~TcpProxy() {
        stopping_ = true;
        thread_.join();
        for (Link& link : links_) close(link);
        ::close(listener_);
    }
    TcpProxy(const TcpProxy&) = delete;
    TcpProxy& operator=(const TcpProxy&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string endpoint() const {
        return "tcp://127.0.0.1:" + std::to_string(port_);
    }
    /// Ends every connection with a reset.
    void reset_all() { reset_requested_ = true; }
    /// While on, nothing passes and nobody is told.
    void partition(bool on) { partitioned_ = on; }
    /// As when a NAT forgets its table: present connections carry nothing more and nobody is told;
    /// new ones work.
    void forget_all() { forget_requested_ = true; }

  private:
    using Clock = std::chrono::steady_clock;
    struct Chunk {
        Clock::time_point due;
        std::string bytes;
    };
    struct Direction {
        int from = -1, to = -1;
        std::deque<Chunk> queue;
        Clock::time_point free_at{};  ///< when the line has sent what it took so far
        bool ended = false;
    };
    struct Link {
        Direction up, down;
        bool dead = false, forgotten = false;
    };
    static constexpr std::size_t max_queued = 64;

    int listen_anywhere() {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* raw = reinterpret_cast<sockaddr*>(&address);
        if (::bind(socket, raw, size) != 0 || ::listen(socket, 64) != 0 ||
            ::getsockname(socket, raw, &size) != 0)
            throw std::runtime_error("the proxy cannot listen");
        port_ = ntohs(address.sin_port);
        return socket;
    }

    void accept_one() {
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(target_port_);
        if (::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            ::close(client);
            ::close(server);
            return;
        }
        for (const int socket : {client, server}) {
            const int on = 1;
            ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            ::fcntl(socket, F_SETFL, O_NONBLOCK);
        }
        Link link;
        link.up.from = link.down.to = client;
        link.up.to = link.down.from = server;
        links_.push_back(std::move(link));
    }

    static void close(Link& link) {
        const linger abrupt{1, 0};
        for (const int socket : {link.up.from, link.up.to}) {
            ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
            ::close(socket);
        }
        link.dead = true;
    }

    Clock::time_point due(Direction& way, std::size_t bytes) {
        std::uniform_real_distribution<double> jitter(0, weather_.jitter_ms);
        const auto now = Clock::now();
        const auto ms = [](double value) {
            return std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double, std::milli>(value));
        };
        way.free_at = std::max(way.free_at, now) +
                      ms(static_cast<double>(bytes) / weather_.bytes_per_s * 1e3);
        auto when = way.free_at + ms(weather_.delay_ms + jitter(random_));
        if (!way.queue.empty()) when = std::max(when, way.queue.back().due);  // TCP keeps order
        return when;
    }

    /// Moves bytes of one direction. @return false when the connection ended.
    bool pump(Direction& way) {
        char buffer[1 << 14];
        while (!way.ended && way.queue.size() < max_queued) {
            const ssize_t got = ::recv(way.from, buffer, sizeof buffer, 0);
            if (got > 0) {
                const auto size = static_cast<std::size_t>(got);
                way.queue.push_back({due(way, size), std::string(buffer, size)});
                continue;
            }
            if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) way.ended = true;
            break;
        }
        while (!way.queue.empty() && way.queue.front().due <= Clock::now()) {
            std::string& bytes = way.queue.front().bytes;
            const ssize_t sent = ::send(way.to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
            bytes.erase(0, static_cast<std::size_t>(sent));
            if (!bytes.empty()) break;
            way.queue.pop_front();
        }
        return !(way.ended && way.queue.empty());
    }

    /// Whether this end has given the connection up; unread bytes do not matter any more.
    static bool hung_up(const Direction& way) {
        pollfd look{way.from, POLLRDHUP, 0};
        return ::poll(&look, 1, 0) > 0;
    }

    void run() {
        while (!stopping_) {
            pollfd wait{listener_, POLLIN, 0};
            if (::poll(&wait, 1, 1) > 0) accept_one();
            const bool reset = reset_requested_.exchange(false);
            const bool forget = forget_requested_.exchange(false);
            for (Link& link : links_) {
                link.forgotten = link.forgotten || forget;
                if (reset || (link.forgotten && (hung_up(link.up) || hung_up(link.down)))) {
                    close(link);
                } else if (!partitioned_ && !link.forgotten) {
                    const bool up = pump(link.up), down = pump(link.down);
                    if (!up || !down) close(link);
                }
            }
            links_.remove_if([](const Link& link) { return link.dead; });
        }
    }

    std::uint16_t target_port_, port_ = 0;
    Weather weather_;
    int listener_;
    std::list<Link> links_;
    std::mt19937 random_{1};
    std::atomic<bool> stopping_{false}, reset_requested_{false}, partitioned_{false},
        forget_requested_{false};
    std::thread thread_;
};

/// A port of 127.0.0.1 that is free at the moment.
inline std::uint16_t free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket, raw, size) != 0 || ::getsockname(socket, raw, &size) != 0)
        throw std::runtime_error("no free port");
    ::close(socket);
    return ntohs(address.sin_port);
}

}  // namespace edgeloop::test
