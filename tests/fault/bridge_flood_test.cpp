// A secured bridge with a search and a device at work while strangers and one listed but hostile
// peer flood it. Only addresses on this machine; the loops are bounded in number and time.
#include "support/bridge_process.hpp"
#include "support/scripted_agent.hpp"
#include "support/setting.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zmq.hpp>

namespace edgeloop {
namespace {

/// Opens connections without keys, as fast as it is allowed to, and never completes a handshake.
class Strangers {
  public:
    Strangers(std::uint16_t port, int at_once) : port_(port), sockets_(at_once, -1) {
        thread_ = std::thread([this] { run(); });
    }
    ~Strangers() {
        stopping_ = true;
        thread_.join();
        for (const int socket : sockets_)
            if (socket >= 0) ::close(socket);
    }
    Strangers(const Strangers&) = delete;
    Strangers& operator=(const Strangers&) = delete;

    [[nodiscard]] int opened() const { return opened_; }

  private:
    /// What the first bytes of each kind of stranger are.
    static std::string opening(std::size_t kind) {
        std::string greeting("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);  // ZMTP 3.0
        greeting.resize(64, '\0');
        switch (kind % 4) {
            case 0:
                return {};  // silent
            case 1:
                return std::string(200, 'x');
            case 2:  // a frame said to be 2^56 bytes long
                return greeting + std::string("\2\1\0\0\0\0\0\0\0", 9) + std::string(4096, 'x');
            default:
                return greeting.substr(0, 10);
        }
    }
    void open(std::size_t i) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        (void)::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
        sockets_[i] = socket;
        waiting_to_speak_.push_back(i);
        ++opened_;
    }
    void speak() {
        for (const std::size_t i : waiting_to_speak_) {
            const std::string text = opening(i);
            (void)::send(sockets_[i], text.data(), text.size(), MSG_NOSIGNAL);
        }
        waiting_to_speak_.clear();
    }
    void run() {
        std::array<char, 256> buffer{};
        while (!stopping_) {
            for (std::size_t i = 0; i < sockets_.size() && !stopping_; ++i) {
                if (sockets_[i] >= 0) {
                    const ssize_t got = ::recv(sockets_[i], buffer.data(), buffer.size(), 0);
                    if (got > 0 || (got < 0 && errno == EAGAIN)) continue;
                    ::close(sockets_[i]);
                }
                open(i);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            speak();
        }
    }

    std::uint16_t port_;
    std::vector<int> sockets_;
    std::vector<std::size_t> waiting_to_speak_;
    std::atomic<int> opened_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

/// ZeroMQ peers that keep sending; with keys or without.
class Senders {
  public:
    Senders(const std::string& endpoint, int number, const LinkKeys& keys,
            const std::string& server_key)
        : thread_([=] { run(endpoint, number, keys, server_key); }) {}
    ~Senders() {
        stopping_ = true;
        thread_.join();
    }
    Senders(const Senders&) = delete;
    Senders& operator=(const Senders&) = delete;

  private:
    void run(const std::string& endpoint, int number, const LinkKeys& keys,
             const std::string& server_key) {
        zmq::context_t context;
        std::vector<zmq::socket_t> sockets;
        for (int i = 0; i < number; ++i) {
            zmq::socket_t& socket = sockets.emplace_back(context, zmq::socket_type::dealer);
            socket.set(zmq::sockopt::linger, 0);
            socket.set(zmq::sockopt::reconnect_ivl, 50);
            socket.set(zmq::sockopt::sndhwm, 10);
            if (!keys.empty()) {
                socket.set(zmq::sockopt::curve_serverkey, server_key);
                socket.set(zmq::sockopt::curve_publickey, keys.public_key);
                socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
            }
            socket.connect(endpoint);
        }
        const std::string oversized(1 << 20, 'x'), garbage(300, 'y');
        while (!stopping_) {
            for (std::size_t i = 0; i < sockets.size(); ++i)
                (void)sockets[i].send(zmq::buffer(i % 2 == 0 ? oversized : garbage),
                                      zmq::send_flags::dontwait);
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }

    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

TEST(Flood, LeavesASessionAtWorkUndisturbedAndMemoryBounded) {
    const int connections = test::setting("EDGELOOP_FLOOD_CONNECTIONS", 300);
    const int jobs = test::setting("EDGELOOP_FLOOD_JOBS", 150);
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);

    const test::TemporaryFolder folder;
    const LinkKeys listed = generate_keys(), hostile = generate_keys(), stranger = generate_keys();
    const LinkKeys server = generate_keys();
    write_keys(folder.path("bridge.key"), server);
    std::ofstream(folder.path("allowed")) << listed.public_key << "\n"
                                          << hostile.public_key << "\n";
    test::BridgeProcess bridge(folder.path("store"), {"--keys", folder.path("bridge.key"),
                                                      "--allow", folder.path("allowed")});

    AgentOptions agent_options = ScriptedAgent::options(bridge.endpoint(), "device");
    agent_options.keys = listed;
    agent_options.server_key = server.public_key;
    ScriptedAgent agent(agent_options, [](const MeasurementJob& job) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        MeasurementResult result;
        result.metrics["latency_ms"] = test::number_in(job.spec);
        return result;
    });
    RemoteProbeOptions probe_options;
    probe_options.edge = {EdgeOption::Mode::connect, bridge.endpoint()};
    probe_options.keys = listed;
    probe_options.server_key = server.public_key;
    RemoteProbe probe(probe_options);
    const double deadline = steady_seconds() + 300;
    while (!probe.link().up && steady_seconds() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(probe.link().up) << probe.link().text;
    const double calm_mib = bridge.resident_mib("VmRSS");

    const Strangers strangers(bridge.port(), connections);
    const Senders plain(bridge.endpoint(), std::max(10, connections / 20), {}, {});
    const Senders unlisted(bridge.endpoint(), std::max(10, connections / 20), stranger,
                           server.public_key);
    const Senders insider(bridge.endpoint(), 10, hostile, server.public_key);

    for (int n = 1; n <= jobs; ++n) {
        const auto id = static_cast<CandidateId>(n);
        probe.submit(test::numbered_candidate(id, id));
    }
    int settled = 0, disturbed = 0;
    while ((settled < jobs || strangers.opened() < 2 * connections) &&
           steady_seconds() < deadline) {
        for (const Outcome& outcome : probe.poll()) {
            EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
            EXPECT_DOUBLE_EQ(outcome.metrics.at("latency_ms"), static_cast<double>(outcome.id));
            ++settled;
        }
        disturbed += probe.link().up && agent.session().state() == "connected" ? 0 : 1;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(settled, jobs);
    EXPECT_GE(strangers.opened(), 2 * connections);
    EXPECT_EQ(disturbed, 0) << "the session at work was interrupted";
    const double peak_mib = bridge.resident_mib("VmHWM");
    // Each half-open connection costs the bridge its buffers until its handshake has timed out.
    EXPECT_LT(peak_mib, 48 + 0.016 * connections);
    std::fprintf(stderr,
                 "%d jobs while %d connections were made, %d at once: resident %.0f MiB before, "
                 "%.0f MiB at most\n",
                 settled, strangers.opened(), connections, calm_mib, peak_mib);
}

}  // namespace
}  // namespace edgeloop
