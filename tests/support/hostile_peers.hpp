#pragma once

// Peers of the link that say what ours never would: they speak the protocol without the checks of
// AgentSession and Broker.
#include "link/dialer.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/link/agent_session.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace edgeloop::test {

/// What must not reach a terminal or a table as it is: ends of lines, escapes of one byte (C1) and
/// of more, directions of writing, a formula.
inline const std::string hostile_text =
    "=cmd|' /C calc'!A0,\"x\"\r\n\x1b]0;owned\x07\xc2\x9b"
    "31m\xe2\x80\xae\xe2\x80\xa8\xe2\x81\xa6\xd8\x9c end";

/// A letter of `text` that is none to look at, as hexadecimal digits of its UTF-8; empty: none. The
/// ends of the lines of a file may be there.
inline std::string command_in(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = [&](std::size_t k) {
            return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U;
        };
        const unsigned first = byte(0), second = byte(1), third = byte(2);
        const bool control = (first < 0x20 && first != '\n') || first == 0x7f;
        const bool c1 = first == 0xc2 && second >= 0x80 && second <= 0x9f;
        const bool arabic_mark = first == 0xd8 && second == 0x9c;
        const bool general = first == 0xe2 && second == 0x80 &&
                             (third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae));
        const bool isolate = first == 0xe2 && second == 0x81 && third >= 0xa6 && third <= 0xa9;
        if (control || c1 || arabic_mark || general || isolate)
            return "byte " + std::to_string(i) + ": " + std::to_string(first) + ' ' +
                   std::to_string(second) + ' ' + std::to_string(third);
    }
    return {};
}

/// A device that answers each job with what it is told to, whatever that is, as often as it is
/// told to.
class HostileAgent {
  public:
    using Script = std::function<std::vector<MeasurementResult>(const MeasurementJob&)>;

    HostileAgent(const AgentOptions& options, Script script)
        : script_(std::move(script)),
          dialer_(std::make_shared<ZmqContext>(), {options,
                                                   {wire::Role::agent, options.name, random_bits(),
                                                    options.device_class, options.record},
                                                   options.max_back_off_s}),
          thread_([this] { run(); }) {}
    ~HostileAgent() {
        stopping_ = true;
        thread_.join();
    }
    HostileAgent(const HostileAgent&) = delete;
    HostileAgent& operator=(const HostileAgent&) = delete;

    [[nodiscard]] bool connected(double seconds = 30) const {
        const double deadline = steady_seconds() + seconds;
        while (!up_ && steady_seconds() < deadline)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return up_;
    }
    [[nodiscard]] int answered() const { return answered_; }

  private:
    void run() {
        while (!stopping_) {
            if (dialer_.take_opened()) dialer_.send(wire::Ready{2});
            up_ = dialer_.up();
            for (const wire::Packet& packet : dialer_.exchange(0.02)) {
                const auto* job = std::get_if<wire::Job>(&packet.message);
                if (job == nullptr) continue;
                for (MeasurementResult& result : script_(job->job))
                    dialer_.send(wire::Result{std::move(result)}, packet.request);
                ++answered_;
            }
        }
        dialer_.shut_down();
    }

    Script script_;
    Dialer dialer_;
    std::atomic<bool> stopping_{false}, up_{false};
    std::atomic<int> answered_{0};
    std::thread thread_;
};

/// A bridge that welcomes everybody and answers each message with what it is told to.
class HostileBridge {
  public:
    using Script = std::function<std::vector<wire::Packet>(const wire::Packet&)>;

    explicit HostileBridge(Script script) : script_(std::move(script)) {
        router_.set(zmq::sockopt::linger, 0);
        router_.set(zmq::sockopt::rcvtimeo, 20);
        router_.bind("tcp://127.0.0.1:*");
        endpoint_ = router_.get(zmq::sockopt::last_endpoint);
        thread_ = std::thread([this] { run(); });
    }
    ~HostileBridge() {
        stopping_ = true;
        thread_.join();
    }
    HostileBridge(const HostileBridge&) = delete;
    HostileBridge& operator=(const HostileBridge&) = delete;

    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

  private:
    void run() {
        while (!stopping_) {
            zmq::message_t route, body;
            if (!router_.recv(route) || !router_.recv(body)) continue;
            const wire::Packet packet =
                wire::decode({static_cast<const char*>(body.data()), body.size()}, "a peer");
            if (std::holds_alternative<wire::Hello>(packet.message))
                answer(route, {wire::Welcome{7, 1000}, 0});
            if (std::holds_alternative<wire::Heartbeat>(packet.message))
                answer(route, {wire::Heartbeat{}, 0});
            for (const wire::Packet& reply : script_(packet)) answer(route, reply);
        }
    }
    void answer(const zmq::message_t& route, const wire::Packet& packet) {
        (void)router_.send(zmq::buffer(route.data(), route.size()), zmq::send_flags::sndmore);
        (void)router_.send(zmq::buffer(wire::encode(packet)));
    }

    Script script_;
    zmq::context_t context_;
    zmq::socket_t router_{context_, zmq::socket_type::router};
    std::string endpoint_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace edgeloop::test
