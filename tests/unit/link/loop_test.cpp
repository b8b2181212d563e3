// Search side, broker and a scripted device together, over real sockets.
#include "support/probe.hpp"
#include "support/scripted_agent.hpp"
#include "support/setting.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/link/agent_session.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/bridge_store.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace edgeloop::loop_test {
namespace {

using test::bind_options;
using test::collect;
using test::numbered_candidate;

TEST(Loop, MeasuresEveryCandidateOnce) {
    RemoteProbe probe(bind_options());
    ScriptedAgent agent(probe.endpoint(), "device-1");
    for (int i = 1; i <= 200; ++i) probe.submit(numbered_candidate(static_cast<CandidateId>(i), i));
    const auto outcomes = collect(probe, 200);
    ASSERT_EQ(outcomes.size(), 200u);
    for (const auto& [id, outcome] : outcomes) {
        EXPECT_EQ(outcome.status, Status::completed);
        EXPECT_DOUBLE_EQ(outcome.metrics.at("latency_ms"), static_cast<double>(id));
    }
    EXPECT_EQ(agent.measured(), 200u);
    EXPECT_EQ(probe.link().devices, 1u);
    EXPECT_TRUE(probe.link().up);
    ASSERT_EQ(probe.devices().size(), 1u);
    EXPECT_NE(probe.devices()[0].find("device-1"), std::string::npos);
}

TEST(Loop, AMeasurementStartsWithinTwoRoundTripsAnd5MsOfItsSubmission) {
    constexpr double one_way_ms = 7;
    const test::TemporaryFolder folder;
    BridgeStoreOptions kept;
    kept.folder = folder.path("store");
    BridgeStore store(kept);
    BrokerOptions options;
    options.endpoint = "tcp://127.0.0.1:*";
    const Broker broker(options, store);
    const auto port = static_cast<std::uint16_t>(
        std::stoi(broker.endpoint().substr(broker.endpoint().rfind(':') + 1)));
    test::TcpProxy to_agent(port, {one_way_ms, 0, 1e9}), to_search(port, {one_way_ms, 0, 1e9});
    std::atomic<double> started{0};
    ScriptedAgent agent(ScriptedAgent::options(to_agent.endpoint(), "device"),
                        [&](const MeasurementJob&) {
                            started = steady_seconds();
                            MeasurementResult result;
                            result.metrics["latency_ms"] = 1;
                            return result;
                        });
    RemoteProbeOptions probe_options;
    probe_options.edge = {EdgeOption::Mode::connect, to_search.endpoint()};
    RemoteProbe probe(probe_options);
    std::vector<double> delays_ms;
    const int jobs = test::setting("EDGELOOP_LINK_JOBS", 12);
    for (int n = 0; n <= jobs; ++n) {
        const double sent = steady_seconds();
        probe.submit(numbered_candidate(static_cast<CandidateId>(n + 1), n + 1));
        ASSERT_EQ(collect(probe, 1).size(), 1u);
        if (n > 0) delays_ms.push_back((started - sent) * 1e3);  // the first waits for the link
    }
    std::sort(delays_ms.begin(), delays_ms.end());
    // The median of a machine with nothing else to do.
    EXPECT_LT(delays_ms[delays_ms.size() / 4], 4 * one_way_ms + 5);
}

TEST(Loop, CandidatesThatDifferOnlyInTrainingShareOneMeasurement) {
    RemoteProbe probe(bind_options());
    probe.submit(numbered_candidate(1, 8, 0.1));
    probe.submit(numbered_candidate(2, 8, 0.2));
    ScriptedAgent agent(probe.endpoint(), "device-1");
    ASSERT_EQ(collect(probe, 2).size(), 2u);
    probe.submit(numbered_candidate(3, 8, 0.3));
    ASSERT_EQ(collect(probe, 1).size(), 1u);
    EXPECT_EQ(agent.measured(), 1u);
}

TEST(Loop, WaitsForADeviceAndSaysSo) {
    RemoteProbe probe(bind_options());
    probe.submit(numbered_candidate(1, 8));
    EXPECT_TRUE(probe.poll().empty());
    EXPECT_FALSE(probe.link().up);
    ScriptedAgent agent(probe.endpoint(), "late");
    EXPECT_EQ(collect(probe, 1).size(), 1u);
}

TEST(Loop, AKilledAgentsJobsGoToTheNextOne) {
    RemoteProbe probe(bind_options());
    auto victim = std::make_unique<ScriptedAgent>(probe.endpoint(), "victim",
                                                  ScriptedAgent::Behaviour::never_answers);
    for (int i = 1; i <= 10; ++i) probe.submit(numbered_candidate(static_cast<CandidateId>(i), i));
    ASSERT_TRUE(victim->wait_for_a_job(10));
    ScriptedAgent next(probe.endpoint(), "next");
    victim->vanish();
    EXPECT_EQ(collect(probe, 10).size(), 10u);
}

TEST(Loop, AFailureOnTheDeviceIsAnOutcomeWithAReason) {
    RemoteProbe probe(bind_options());
    ScriptedAgent agent(probe.endpoint(), "device-1", ScriptedAgent::Behaviour::fails);
    probe.submit(numbered_candidate(1, 8));
    const auto outcomes = collect(probe, 1);
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes.at(1).status, Status::failed);
    EXPECT_TRUE(outcomes.at(1).metrics.empty());
    EXPECT_EQ(outcomes.at(1).reason, "scripted failure");
}

TEST(Loop, AnAgentThatLeavesByAnErrorCountsAsOneThatTheJobEnded) {
    RemoteProbeOptions options = bind_options();
    options.board.crash_limit = 1;
    RemoteProbe probe(options);
    probe.submit(numbered_candidate(1, 7));
    try {
        AgentSession session(ScriptedAgent::options(probe.endpoint(), "a"));
        ASSERT_TRUE(session.next(20));
        throw std::runtime_error("map::at");
    } catch (const std::runtime_error&) {
    }
    const auto outcomes = collect(probe, 1);
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_NE(outcomes.at(1).reason.find("crashing"), std::string::npos) << outcomes.at(1).reason;
}

TEST(Loop, CancelledCandidatesComeBackOnceAsCancelled) {
    RemoteProbe probe(bind_options());
    probe.submit(numbered_candidate(1, 8));
    probe.submit(numbered_candidate(2, 9));
    probe.cancel(1);
    auto outcomes = collect(probe, 1);
    ASSERT_EQ(outcomes.count(1), 1u);
    EXPECT_EQ(outcomes.at(1).status, Status::cancelled);
    ScriptedAgent agent(probe.endpoint(), "device-1");
    outcomes = collect(probe, 1);
    EXPECT_EQ(outcomes.at(2).status, Status::completed);
}

TEST(Loop, EverythingIsSettledWhenTheDeviceReturnsAfterAnOutage) {
    RemoteProbe probe(bind_options());
    auto agent = std::make_unique<ScriptedAgent>(probe.endpoint(), "device-1");
    std::map<CandidateId, Outcome> all;
    const auto measure = [&](int first, int last) {
        for (int i = first; i <= last; ++i)
            probe.submit(numbered_candidate(static_cast<CandidateId>(i), i));
    };
    measure(1, 10);
    all.merge(collect(probe, 10));
    agent.reset();
    measure(11, 20);
    const double deadline = steady_seconds() + 20;
    while (probe.link().up && steady_seconds() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_FALSE(probe.link().up);
    EXPECT_EQ(probe.link().text, "no device connected to " + probe.endpoint());
    EXPECT_TRUE(probe.poll().empty()) << "nothing is invented while nobody measures";
    EXPECT_GT(probe.seconds_without_device(), 0);
    agent = std::make_unique<ScriptedAgent>(probe.endpoint(), "device-1");
    measure(21, 30);
    all.merge(collect(probe, 20));
    ASSERT_EQ(all.size(), 30u);
    for (const auto& [id, outcome] : all) {
        EXPECT_EQ(outcome.status, Status::completed);
        EXPECT_DOUBLE_EQ(outcome.metrics.at("latency_ms"), static_cast<double>(id));
    }
}

TEST(Loop, ADeviceRecordThatIsNoJsonIsNotKept) {
    RemoteProbe probe(bind_options());
    AgentOptions options = ScriptedAgent::options(probe.endpoint(), "device-1");
    options.record = R"({"name": )";
    const ScriptedAgent agent(options, [](const MeasurementJob&) {
        MeasurementResult result;
        result.metrics["latency_ms"] = 1;
        return result;
    });
    probe.submit(numbered_candidate(1, 8));
    ASSERT_EQ(collect(probe, 1).size(), 1u);
    EXPECT_EQ(probe.devices(), std::vector<std::string>{"{}"});
}

TEST(Loop, WithheldAnswersDoNotKeepOtherJobsFromComing) {
    RemoteProbe probe(bind_options());
    for (int i = 1; i <= 6; ++i) probe.submit(numbered_candidate(static_cast<CandidateId>(i), i));
    AgentSession session(ScriptedAgent::options(probe.endpoint(), "device-1"));
    std::vector<std::uint64_t> withheld;
    for (int i = 0; i < 6; ++i) {
        const auto held = session.next(10);
        ASSERT_TRUE(held) << i;
        session.withhold(held->id);
        withheld.push_back(held->id);
    }
    EXPECT_TRUE(probe.poll().empty());
    MeasurementResult result;
    result.metrics["latency_ms"] = 1;
    for (const std::uint64_t id : withheld) {
        session.resume(id);
        session.finish(id, result);
    }
    EXPECT_EQ(collect(probe, 6).size(), 6u);
}

bool has_ipv6() {
    const int socket = ::socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = IN6ADDR_LOOPBACK_INIT;
    const bool can =
        socket >= 0 && ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    if (socket >= 0) ::close(socket);
    return can;
}

/// @param host  by which the device knows the search; empty: as the search calls itself.
void measure_one_over(const std::string& endpoint, const std::string& host = {}) {
    RemoteProbeOptions options = bind_options();
    options.edge.endpoint = endpoint;
    RemoteProbe probe(options);
    std::string address = probe.endpoint();
    if (!host.empty()) address = "tcp://" + host + address.substr(address.rfind(':'));
    ScriptedAgent agent(address, "device-1");
    probe.submit(numbered_candidate(1, 8));
    EXPECT_EQ(collect(probe, 1).size(), 1u) << probe.endpoint() << ": " << agent.session().state();
}

TEST(Loop, WorksOverIpv6) {
    if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
    measure_one_over("tcp://[::1]:*");
}

TEST(Loop, WorksOverASocketOfTheFileSystem) {
    const test::TemporaryFolder folder;
    measure_one_over("ipc://" + folder.path("socket"));
}

TEST(Loop, WorksByName) { measure_one_over("tcp://127.0.0.1:*", "localhost"); }

TEST(Loop, SaysWhichClassesOfDevicesThereAre) {
    RemoteProbeOptions options = bind_options();
    options.device_class = "nosuch";
    RemoteProbe probe(options);
    probe.submit(numbered_candidate(1, 8));
    ScriptedAgent other(probe.endpoint(), "device-1", ScriptedAgent::Behaviour::measures, "pi5");
    const double deadline = steady_seconds() + 20;
    BackOff back_off;
    while (probe.link().text.find("'pi5'") == std::string::npos && steady_seconds() < deadline)
        back_off.wait();
    EXPECT_NE(probe.link().text.find("no device of class 'nosuch' connected"), std::string::npos);
    EXPECT_NE(probe.link().text.find("(those that are: 'pi5')"), std::string::npos)
        << probe.link().text;
    EXPECT_EQ(drop_jobs({probe.endpoint(), {}, {}}, {0, "nosuch", ""}, 10), 1u);
    const auto outcomes = collect(probe, 1);
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes.at(1).status, Status::failed);
    EXPECT_NE(outcomes.at(1).reason.find("dropped"), std::string::npos);
}

TEST(Loop, SaysWhichClassOfDeviceIsMissing) {
    RemoteProbeOptions options = bind_options();
    options.device_class = "nosuch";
    RemoteProbe probe(options);
    ScriptedAgent other(probe.endpoint(), "device-1");
    const double deadline = steady_seconds() + 20;
    BackOff back_off;
    while (probe.link().text.find("no device") != 0 && steady_seconds() < deadline) back_off.wait();
    EXPECT_EQ(
        probe.link().text.find("no device of class 'nosuch' connected to " + probe.endpoint()), 0u)
        << probe.link().text;
}

/// Answers that a bridge kept from before the device had a meter, and new ones.
class MeteredLoop : public testing::Test {
  protected:
    MeteredLoop() {
        RemoteProbeOptions options = bind_options();
        options.metrics = {"latency_ms", "energy_mj"};
        probe_ = std::make_unique<RemoteProbe>(options);
    }
    /// @param metered_from  the number of repeats from which answers have the energy.
    [[nodiscard]] std::unique_ptr<ScriptedAgent> device(int metered_from) {
        const auto answer = [this, metered_from](const MeasurementJob& job) {
            ++measured_;
            MeasurementResult result;
            result.metrics["latency_ms"] = test::number_in(job.spec);
            if (settings_of(job).repeat >= metered_from) result.metrics["energy_mj"] = 7;
            return result;
        };
        return std::make_unique<ScriptedAgent>(ScriptedAgent::options(probe_->endpoint(), "board"),
                                               answer);
    }

    std::unique_ptr<RemoteProbe> probe_;
    std::atomic<int> measured_{0};
};

TEST_F(MeteredLoop, AnAnswerWithoutAMeteredMetricIsAskedForAgain) {
    const auto board = device(1);
    for (int i = 1; i <= 20; ++i)
        probe_->submit(numbered_candidate(static_cast<CandidateId>(i), i));
    const auto outcomes = collect(*probe_, 20);
    ASSERT_EQ(outcomes.size(), 20u);
    for (const auto& [id, outcome] : outcomes) {
        EXPECT_DOUBLE_EQ(outcome.metrics.at("latency_ms"), static_cast<double>(id));
        EXPECT_EQ(outcome.metrics.count("energy_mj"), 1u);
    }
    EXPECT_EQ(measured_, 40);
    // Whoever wants the same again gets both answers from the store.
    probe_->submit(numbered_candidate(21, 8));
    EXPECT_EQ(collect(*probe_, 1).at(21).metrics.count("energy_mj"), 1u);
    EXPECT_EQ(measured_, 40);
}

TEST_F(MeteredLoop, OneThatNeverHasItIsAskedForTwice) {
    const auto board = device(99);
    probe_->submit(numbered_candidate(1, 8));
    EXPECT_EQ(collect(*probe_, 1).at(1).metrics.count("energy_mj"), 0u);
    EXPECT_EQ(measured_, 2);
}

TEST_F(MeteredLoop, OneThatHasItIsAskedForOnce) {
    const auto board = device(0);
    probe_->submit(numbered_candidate(1, 8));
    EXPECT_EQ(collect(*probe_, 1).at(1).metrics.count("energy_mj"), 1u);
    EXPECT_EQ(measured_, 1);
}

TEST(Loop, OnlyDevicesOfTheClassMeasure) {
    RemoteProbeOptions options = bind_options();
    options.device_class = "wanted";
    RemoteProbe probe(options);
    ScriptedAgent wrong(probe.endpoint(), "wrong", ScriptedAgent::Behaviour::measures, "other");
    probe.submit(numbered_candidate(1, 8));
    ScriptedAgent right(probe.endpoint(), "right", ScriptedAgent::Behaviour::measures, "wanted");
    ASSERT_EQ(collect(probe, 1).size(), 1u);
    EXPECT_EQ(wrong.measured(), 0u);
    EXPECT_EQ(right.measured(), 1u);
}

}  // namespace
}  // namespace edgeloop::loop_test
