#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace edgeloop::test {

/// A peer without keys that speaks ZeroMQ's protocol (ZMTP 3.0, a DEALER) by hand, so that it can
/// leave a message without an end.
class RawPeer {
  public:
    /// Connects to 127.0.0.1 and shakes hands.
    explicit RawPeer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        for (int i = 0; i < 100; ++i) {
            if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
                break;
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        // One that is ended while its window is closed hears of it when it reads, not when it
        // writes.
        const timeval patience{2, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        std::string greeting("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
        greeting.resize(64, '\0');
        write(greeting);
        const std::string ready = std::string("\5READY\13Socket-Type\0\0\0\6DEALER", 28);
        write(std::string("\4") + static_cast<char>(ready.size()) + ready);
        const std::string theirs = read(greeting.size() + 2);  // and the head of their command
        if (!theirs.empty()) (void)read(static_cast<unsigned char>(theirs.back()));
    }
    ~RawPeer() { ::close(socket_); }
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;

    /// Sends a frame of a message. @return false when the other side has ended the connection, or
    /// takes nothing for two seconds.
    bool send_frame(const std::string& bytes, bool more) {
        std::string head(1, more ? '\3' : '\2');  // its length has eight bytes
        for (int shift = 56; shift >= 0; shift -= 8)
            head += static_cast<char>(bytes.size() >> shift & 0xff);
        return write(head) && write(bytes);
    }
    /// Waits until the other side ends the connection, and reads what it says meanwhile.
    bool ends_within(double seconds) {
        const auto deadline =
            std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
        std::array<char, 4096> buffer{};
        while (std::chrono::steady_clock::now() < deadline) {
            pollfd wait{socket_, POLLIN, 0};
            if (::poll(&wait, 1, 50) > 0 && ::recv(socket_, buffer.data(), buffer.size(), 0) <= 0)
                return true;
        }
        return false;
    }

  private:
    /// So many bytes; nothing when the connection ends before.
    std::string read(std::size_t count) {
        std::string bytes(count, '\0');
        for (std::size_t got = 0; got < count;) {
            const ssize_t more = ::recv(socket_, &bytes[got], count - got, 0);
            if (more <= 0) return {};
            got += static_cast<std::size_t>(more);
        }
        return bytes;
    }
    bool write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    int socket_;
};

}  // namespace edgeloop::test
