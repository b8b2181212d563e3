// What peers do to a broker's sockets: connections are ended, others go on.
#include "link/connections.hpp"
#include "link/memory.hpp"
#include "link/outbox.hpp"
#include "support/eventually.hpp"
#include "support/raw_peer.hpp"
#include "support/scripted_agent.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <zmq.hpp>

namespace edgeloop::broker_guard_test {
namespace {

using test::eventually;

std::uint16_t port_of(const std::string& endpoint) {
    return static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1)));
}

/// Both ends of a TCP connection of this process.
struct TcpPair {
    TcpPair() {
        const Descriptor listener(::socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* raw = reinterpret_cast<sockaddr*>(&address);
        EXPECT_EQ(::bind(listener.get(), raw, size), 0);
        EXPECT_EQ(::listen(listener.get(), 1), 0);
        EXPECT_EQ(::getsockname(listener.get(), raw, &size), 0);
        peer = Descriptor(::socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_EQ(::connect(peer.get(), raw, size), 0);
        ours = Descriptor(::accept(listener.get(), nullptr, nullptr));
    }
    /// Sent by the peer and read here, as libzmq would.
    void pass(std::size_t bytes) {
        std::vector<char> buffer(bytes, 'x');
        std::thread reader([&] {
            std::vector<char> got(bytes);
            EXPECT_EQ(::recv(ours.get(), got.data(), bytes, MSG_WAITALL),
                      static_cast<ssize_t>(bytes));
        });
        EXPECT_TRUE(write_all(peer.get(), {buffer.data(), bytes}));
        reader.join();
    }
    /// Whether our end is shut down within this time.
    [[nodiscard]] bool is_over(int wait_ms = 10'000) const {
        pollfd wait{peer.get(), POLLIN, 0};
        char byte = 0;
        return ::poll(&wait, 1, wait_ms) > 0 && ::recv(peer.get(), &byte, 1, MSG_DONTWAIT) == 0;
    }

    Descriptor peer, ours;
};

class ConnectionsTest : public testing::Test {
  protected:
    static Connections::Limits small() {
        Connections::Limits limits;
        limits.unfinished_bytes = 100'000;
        limits.all_unfinished_bytes = 250'000;
        limits.silent_s = 60;
        limits.of_a_key = 2;
        return limits;
    }
    /// Looks again, so late that it does.
    std::vector<std::string> look(double seconds = 0.5) { return connections.look(now += seconds); }

    Connections connections{small()};
    double now = 1000;
};

TEST_F(ConnectionsTest, OneThatSendsWhatIsNoMessageIsEndedAndNoOther) {
    TcpPair hostile, honest;
    connections.accepted(hostile.ours.get(), now);
    connections.accepted(honest.ours.get(), now);
    hostile.pass(90'000);
    honest.pass(90'000);
    EXPECT_TRUE(look().empty());
    EXPECT_TRUE(connections.is_watchful());
    connections.spoke(honest.ours.get(), "", now);
    EXPECT_TRUE(look().empty());
    hostile.pass(20'000);
    honest.pass(90'000);
    EXPECT_TRUE(look().empty()) << "once may be chance";
    const auto reasons = look();
    ASSERT_EQ(reasons.size(), 1u);
    EXPECT_NE(reasons[0].find("no whole message"), std::string::npos) << reasons[0];
    EXPECT_TRUE(hostile.is_over());
    EXPECT_FALSE(honest.is_over(0));
    EXPECT_TRUE(look().empty()) << "said once";
}

TEST_F(ConnectionsTest, ManyThatEachSendLittleAreEndedFromTheLargest) {
    std::vector<std::unique_ptr<TcpPair>> pairs;
    for (int i = 0; i < 5; ++i) {
        pairs.push_back(std::make_unique<TcpPair>());
        connections.accepted(pairs.back()->ours.get(), now);
        pairs.back()->pass(i == 4 ? 20'000 : 60'000 + static_cast<std::size_t>(i));
    }
    EXPECT_EQ(look().size(), 1u) << "of 260 kB";
    EXPECT_TRUE(pairs[3]->is_over());
    EXPECT_TRUE(look().empty());
    EXPECT_FALSE(pairs[4]->is_over(0));
}

TEST_F(ConnectionsTest, OneThatSaysNothingIsEnded) {
    TcpPair silent, alive;
    connections.accepted(silent.ours.get(), now);
    connections.accepted(alive.ours.get(), now);
    look(50);
    connections.spoke(alive.ours.get(), "", now);
    EXPECT_EQ(look(20).size(), 1u);
    EXPECT_TRUE(silent.is_over());
    EXPECT_FALSE(alive.is_over(0));
}

TEST_F(ConnectionsTest, AKeyHasSoManyAndNoMore) {
    std::vector<std::unique_ptr<TcpPair>> pairs;
    for (int i = 0; i < 4; ++i) {
        pairs.push_back(std::make_unique<TcpPair>());
        connections.accepted(pairs.back()->ours.get(), now);
        connections.spoke(pairs.back()->ours.get(), i == 3 ? "other" : "key", now);
    }
    EXPECT_EQ(connections.keys(), "key (3), other (1)");
    EXPECT_EQ(look().size(), 1u);
    EXPECT_TRUE(pairs[2]->is_over());
    for (const int other : {0, 1, 3}) EXPECT_FALSE(pairs[other]->is_over(0)) << other;
}

TEST_F(ConnectionsTest, AnotherOneThatGotTheSameDescriptorIsLeftAlone) {
    auto first = std::make_unique<TcpPair>();
    const int descriptor = first->ours.get();
    connections.accepted(descriptor, now);
    const std::uint64_t token = connections.token(descriptor);
    first.reset();
    TcpPair second;
    ASSERT_EQ(second.ours.get() == descriptor || second.peer.get() == descriptor, true);
    connections.end(descriptor, token);
    connections.end_all();
    EXPECT_FALSE(second.is_over(0));
    look();
    EXPECT_EQ(connections.count(), 0u);
}

/// A router and peers of it that hold few messages each.
struct SmallPeers {
    SmallPeers() {
        router.set(zmq::sockopt::linger, 0);
        router.set(zmq::sockopt::sndhwm, 4);
        router.set(zmq::sockopt::router_mandatory, true);
        router.bind("inproc://outbox");
    }
    /// Connects. @return its name at the router.
    std::string join(zmq::socket_t& dealer) {
        dealer.set(zmq::sockopt::linger, 0);
        dealer.set(zmq::sockopt::rcvhwm, 1);
        dealer.connect("inproc://outbox");
        dealer.send(zmq::buffer(std::string("hello")));
        zmq::message_t route, hello;
        EXPECT_TRUE(router.recv(route) && router.recv(hello));
        return route.to_string();
    }

    zmq::context_t context;
    zmq::socket_t router{context, zmq::socket_type::router};
};

TEST(OutboxTest, WhatAPeerDoesNotTakeAtOnceWaitsInOrder) {
    SmallPeers peers;
    zmq::socket_t dealer(peers.context, zmq::socket_type::dealer);
    const std::string peer = peers.join(dealer);
    Outbox outbox(peers.router);
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(outbox.send(peer, std::to_string(i), 0));
    EXPECT_FALSE(outbox.empty());
    for (int i = 0; i < 50; ++i) {
        zmq::message_t got;
        ASSERT_TRUE(eventually([&] {
            EXPECT_TRUE(outbox.retry(1).empty());
            return dealer.recv(got, zmq::recv_flags::dontwait).has_value();
        })) << i;
        EXPECT_EQ(got.to_string(), std::to_string(i));
    }
    EXPECT_TRUE(outbox.empty());
    EXPECT_EQ(outbox.bytes(), 0u);
}

TEST(OutboxTest, APeerThatTakesNothingIsGivenUp) {
    SmallPeers peers;
    zmq::socket_t dealer(peers.context, zmq::socket_type::dealer);  // never reads
    const std::string peer = peers.join(dealer);
    Outbox outbox(peers.router);
    const std::string large(1 << 20, 'x');
    bool taken = true;
    for (int i = 0; i < 40 && taken; ++i) taken = outbox.send(peer, large, 2);
    EXPECT_FALSE(taken) << "nobody takes more than 16 MiB of what waits";
    EXPECT_TRUE(outbox.empty());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(outbox.send(peer, "more", 3));
    EXPECT_TRUE(outbox.retry(10).empty());
    EXPECT_EQ(outbox.retry(100), std::vector<std::string>{peer}) << "it takes nothing";
    EXPECT_FALSE(outbox.send("nobody", "more", 100));
}

TEST(MemoryWatchTest, SaysOnceWhatIsTooMuchUnlessItGrows) {
    MemoryWatch none(0), much(1 << 20), little(1);
    EXPECT_FALSE(none.is_over(100));
    EXPECT_FALSE(much.is_over(100));
    EXPECT_TRUE(little.is_over(100));
    EXPECT_GT(little.seen_mib(), 1u);
    for (double now = 100.1; now < 110; now += 0.1) EXPECT_FALSE(little.is_over(now)) << now;
    const std::string more(std::size_t(64 + little.seen_mib()) << 20, 'x');
    EXPECT_TRUE(little.is_over(120)) << more.size();
}

/// A broker without keys, a search and a device at work.
class BrokerGuard : public testing::Test {
  protected:
    void start(JobStore& kept_in, const BrokerOptions& options = {}) {
        broker = std::make_unique<Broker>(options, kept_in);
        device = std::make_unique<ScriptedAgent>(broker->endpoint(), "device");
        RemoteProbeOptions probe_options;
        probe_options.edge = {EdgeOption::Mode::connect, broker->endpoint()};
        probe_options.max_back_off_s = 0.2;
        probe = std::make_unique<RemoteProbe>(probe_options);
        ASSERT_TRUE(eventually([&] { return probe->link().up; })) << probe->link().text;
    }
    void expect_measured(int jobs) {
        for (int i = 0; i < jobs; ++i) {
            const auto id = static_cast<CandidateId>(++submitted);
            probe->submit(test::numbered_candidate(id, id));
        }
        int settled = 0;
        EXPECT_TRUE(eventually([&] {
            for (const Outcome& outcome : probe->poll()) {
                EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
                ++settled;
            }
            return settled == jobs;
        })) << settled;
    }

    MemoryJobStore store;
    std::unique_ptr<Broker> broker;
    std::unique_ptr<ScriptedAgent> device;
    std::unique_ptr<RemoteProbe> probe;
    int submitted = 0;
};

TEST_F(BrokerGuard, AMessageWithoutAnEndEndsItsConnectionOnly) {
    start(store);
    test::RawPeer hostile(port_of(broker->endpoint()));
    const std::string frame(100'000, 'x');
    int sent = 0;
    while (sent < 20'000 && hostile.send_frame(frame, true)) ++sent;
    EXPECT_LT(sent, 20'000) << "2 GB were taken";
    EXPECT_TRUE(hostile.ends_within(20));
    expect_measured(20);
    EXPECT_EQ(device->session().state(), "connected");
}

TEST_F(BrokerGuard, OneOfSeveralFramesEndsItsConnectionToo) {
    start(store);
    test::RawPeer hostile(port_of(broker->endpoint()));
    EXPECT_TRUE(hostile.send_frame("one", true) && hostile.send_frame("two", false));
    EXPECT_TRUE(hostile.ends_within(20));
    expect_measured(5);
}

TEST_F(BrokerGuard, OneThatSendsNoMessagesOfOursIsEnded) {
    start(store);
    test::RawPeer hostile(port_of(broker->endpoint()));
    bool ended = false;
    for (int i = 0; i < 10'000 && !ended; ++i) ended = !hostile.send_frame("noise", false);
    EXPECT_TRUE(hostile.ends_within(20));
    expect_measured(5);
}

TEST_F(BrokerGuard, TooMuchMemoryEndsAllConnectionsAndAllComeBack) {
    BrokerOptions options;
    options.max_memory_mib = 1;  // it has more: said once, after that as much is needed
    start(store, options);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    expect_measured(20);
    EXPECT_TRUE(eventually([&] { return device->session().state() == "connected"; }));
    EXPECT_NO_THROW(broker->check());
}

/// Cannot make anything durable, and cannot be read, for a while.
class StubbornStore final : public JobStore {
  public:
    [[nodiscard]] std::vector<OpenJob> open_jobs() override { return {}; }
    void add_job(const OpenJob&) override {}
    void set_losses(std::uint64_t, int) override {}
    void give_job(std::uint64_t, const std::string&) override {}
    void drop_job(std::uint64_t) override {}
    void add_result(std::uint64_t id, const MeasurementResult& result) override {
        answers.add_result(id, result);
    }
    [[nodiscard]] std::optional<MeasurementResult> result(std::uint64_t id) override {
        if (unreadable) throw IoError("the disk is not there");
        return answers.result(id);
    }
    [[nodiscard]] std::size_t results() const override { return answers.results(); }
    bool commit() override { return !stubborn; }

    MemoryJobStore answers;
    std::atomic<bool> stubborn{false}, unreadable{false};
};

TEST_F(BrokerGuard, WhatIsNotStoredIsNotAcknowledgedAndResultsGoOn) {
    StubbornStore disk;
    start(disk);
    disk.stubborn = true;
    expect_measured(20);  // Accepted was not said, results were
    EXPECT_EQ(probe->unconfirmed(), 0u);
    disk.stubborn = false;
    expect_measured(20);
    probe.reset();
    device.reset();
    broker.reset();
}

TEST_F(BrokerGuard, AStoreThatCannotBeReadEndsNoSession) {
    StubbornStore disk;
    start(disk);
    disk.unreadable = true;
    probe->submit(test::numbered_candidate(1000, 1000));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_TRUE(probe->link().up);
    EXPECT_TRUE(probe->poll().empty());
    disk.unreadable = false;
    EXPECT_TRUE(eventually([&] { return !probe->poll().empty(); }, 30)) << "it is asked again";
    EXPECT_NO_THROW(broker->check());
    probe.reset();
    device.reset();
    broker.reset();
}

}  // namespace
}  // namespace edgeloop::broker_guard_test
