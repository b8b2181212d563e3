#pragma once

#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/messages.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <zmq.hpp>

namespace edgeloop::test {

/// A peer that says what it likes over a connection of its own, at its own pace.
class LoudPeer {
  public:
    LoudPeer(const std::string& endpoint, const LinkKeys& keys, const std::string& server_key,
             std::shared_ptr<zmq::context_t> context = std::make_shared<zmq::context_t>())
        : context_(std::move(context)), socket_(*context_, zmq::socket_type::dealer) {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.set(zmq::sockopt::sndtimeo, 2000);
        socket_.set(zmq::sockopt::sndhwm, 10);
        if (!keys.empty()) {
            socket_.set(zmq::sockopt::curve_serverkey, server_key);
            socket_.set(zmq::sockopt::curve_publickey, keys.public_key);
            socket_.set(zmq::sockopt::curve_secretkey, keys.secret_key);
        }
        socket_.connect(endpoint);
    }
    /// @return false when it is not taken within two seconds.
    bool say(const wire::Message& message, std::uint64_t request = 0) {
        const std::string bytes = wire::encode({message, request});
        return socket_.send(zmq::buffer(bytes), zmq::send_flags::none).has_value();
    }
    /// One message of so many frames.
    void say_in_frames(const std::string& frame, std::size_t frames) {
        for (std::size_t i = 0; i < frames; ++i)
            (void)socket_.send(zmq::buffer(frame),
                               i + 1 < frames ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
    void hello(wire::Role role, const std::string& name, std::uint64_t nonce = 1,
               const std::string& device_class = "", const std::string& record = "{}") {
        say(wire::Hello{role, name, nonce, device_class, record});
    }
    /// What comes within that time, in the order in which it comes.
    std::vector<wire::Packet> hear(double seconds) {
        std::vector<wire::Packet> packets;
        const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
        do {
            zmq::message_t frame;
            socket_.set(zmq::sockopt::rcvtimeo, 20);
            if (socket_.recv(frame)) packets.push_back(decoded(frame));
        } while (std::chrono::steady_clock::now() < end);
        return packets;
    }

    /// What has come.
    std::vector<wire::Packet> heard() {
        std::vector<wire::Packet> packets;
        for (zmq::message_t frame; socket_.recv(frame, zmq::recv_flags::dontwait);)
            packets.push_back(decoded(frame));
        return packets;
    }

  private:
    static wire::Packet decoded(const zmq::message_t& frame) {
        return wire::decode({static_cast<const char*>(frame.data()), frame.size()}, "the bridge");
    }

    std::shared_ptr<zmq::context_t> context_;
    zmq::socket_t socket_;
};

/// How many of the packets are of type M.
template <class M>
std::size_t count_of(const std::vector<wire::Packet>& packets) {
    std::size_t count = 0;
    for (const wire::Packet& packet : packets)
        count += std::holds_alternative<M>(packet.message) ? 1 : 0;
    return count;
}

}  // namespace edgeloop::test
