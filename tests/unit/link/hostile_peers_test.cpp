// Devices and bridges that say what they should not, and what the others make of it.
#include "support/hostile_peers.hpp"

#include "support/probe.hpp"
#include "support/scripted_agent.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <limits>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::hostile_peers_test {
namespace {

using test::bind_options;
using test::collect;
using test::HostileAgent;
using test::HostileBridge;
using test::numbered_candidate;
using ::testing::HasSubstr;

MeasurementResult completed(Metrics metrics) {
    MeasurementResult result;
    result.metrics = std::move(metrics);
    result.seconds = 0.001;
    return result;
}

bool connected(ScriptedAgent& agent) {
    const double deadline = steady_seconds() + 20;
    while (agent.session().state() != "connected" && steady_seconds() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return agent.session().state() == "connected";
}

/// Results that no device can have, each another one.
std::vector<MeasurementResult> impossible_results() {
    std::vector<MeasurementResult> all{
        completed({{"latency_ms", 1e-9}, {"parameters", 1}}),
        completed({{"latency_ms", 1e-9}, {"flops", 1}}),
        completed({{"latency_ms", 1e-9}, {"val_rmse", 0}}),
        completed({{"latency_ms", -1}}),
        completed({{"latency_ms", 0}}),
        completed({{"latency_ms", 1e-9}, {test::hostile_text, 1}}),
    };
    all.push_back(completed({{"latency_ms", 1e-9}}));
    all.back().seconds = -7;
    Metrics many{{"latency_ms", 1e-9}};
    for (int i = 0; i < 500; ++i) many[fmt::format("name_{}", i)] = i;
    all.push_back(completed(std::move(many)));
    return all;
}

TEST(HostileDevice, WhatItCannotHaveMeasuredAnotherMeasures) {
    RemoteProbe probe(bind_options());
    const std::vector<MeasurementResult> answers = impossible_results();
    std::size_t next = 0;
    const HostileAgent evil(
        ScriptedAgent::options(probe.endpoint(), "evil"),
        [&](const MeasurementJob&) { return std::vector{answers[next++ % answers.size()]}; });
    ScriptedAgent honest(probe.endpoint(), "honest");
    ASSERT_TRUE(evil.connected() && connected(honest));
    const std::size_t jobs = 4 * answers.size();
    for (std::size_t i = 1; i <= jobs; ++i) probe.submit(numbered_candidate(i, i));
    const auto outcomes = collect(probe, jobs);
    ASSERT_EQ(outcomes.size(), jobs);
    for (const auto& [id, outcome] : outcomes) {
        EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
        EXPECT_EQ(outcome.device, "honest");
        EXPECT_EQ(outcome.metrics, (Metrics{{"latency_ms", static_cast<double>(id)}}));
    }
    EXPECT_GE(evil.answered(), 1);
}

TEST(HostileDevice, WhereNobodyElseIsItsResultIsLostWithAReason) {
    RemoteProbe probe(bind_options());
    const std::vector<MeasurementResult> answers = impossible_results();
    const HostileAgent evil(
        ScriptedAgent::options(probe.endpoint(), "evil"), [&](const MeasurementJob& job) {
            return std::vector{answers.at(static_cast<std::size_t>(test::number_in(job.spec)) - 1)};
        });
    for (std::size_t i = 1; i <= answers.size(); ++i) probe.submit(numbered_candidate(i, i));
    const auto outcomes = collect(probe, answers.size());
    ASSERT_EQ(outcomes.size(), answers.size());
    for (const auto& [id, outcome] : outcomes) {
        EXPECT_EQ(outcome.status, Status::lost) << id;
        EXPECT_TRUE(outcome.metrics.empty());
        EXPECT_THAT(outcome.reason, HasSubstr("the result of device 'evil' is refused: "));
        EXPECT_EQ(test::command_in(outcome.reason), "");
    }
    EXPECT_THAT(outcomes.at(1).reason, HasSubstr("parameters is 1, and the network has"));
    EXPECT_THAT(outcomes.at(4).reason, HasSubstr("latency_ms is -1, and has to be more than 0"));
}

TEST(HostileDevice, ANumberThatIsNoneEndsItsSessionAndTheJobGoesOn) {
    RemoteProbe probe(bind_options());
    std::atomic<int> asked{0};
    const HostileAgent evil(
        ScriptedAgent::options(probe.endpoint(), "evil"),
        [&](const MeasurementJob&) -> std::vector<MeasurementResult> {
            if (++asked > 1) return {completed({{"val_rmse", 0}})};
            const double none = std::numeric_limits<double>::quiet_NaN();
            return std::vector<MeasurementResult>(10, completed({{"latency_ms", none}}));
        });
    ScriptedAgent honest(probe.endpoint(), "honest");
    ASSERT_TRUE(evil.connected() && connected(honest));
    for (std::size_t i = 1; i <= 10; ++i) probe.submit(numbered_candidate(i, i));
    const auto outcomes = collect(probe, 10);
    ASSERT_EQ(outcomes.size(), 10u);
    for (const auto& [id, outcome] : outcomes) EXPECT_EQ(outcome.device, "honest");
}

TEST(HostileDevice, ItsTextsComeInCleanAndItsNameNotAtAll) {
    RemoteProbe probe(bind_options());
    AgentOptions options = ScriptedAgent::options(probe.endpoint(), "evil");
    options.record = Json{{"name", test::hostile_text}}.dump();
    const HostileAgent evil(options, [](const MeasurementJob& job) {
        MeasurementResult result = completed({{"latency_ms", test::number_in(job.spec)}});
        result.record = Json{{"note", test::hostile_text}}.dump();
        if (test::number_in(job.spec) > 1) return std::vector{result};
        result.status = Status::failed;
        result.reason = test::hostile_text;
        return std::vector{result};
    });
    options.name = test::hostile_text;
    const HostileAgent unnamed(options, [](const MeasurementJob&) {
        ADD_FAILURE() << "a job for a device that has no name";
        return std::vector<MeasurementResult>{};
    });
    probe.submit(numbered_candidate(1, 1));
    probe.submit(numbered_candidate(2, 2));
    auto outcomes = collect(probe, 2);
    ASSERT_EQ(outcomes.size(), 2u);
    EXPECT_EQ(outcomes[1].reason, printable(test::hostile_text));
    EXPECT_EQ(Json::parse(outcomes[2].record).at("note"), printable(test::hostile_text));
    ASSERT_EQ(probe.devices().size(), 1u);
    EXPECT_EQ(test::command_in(probe.devices()[0]), "");
    EXPECT_FALSE(unnamed.connected(0));
}

TEST(HostileDevice, AnAgentOfOursHandsNothingImpossibleOver) {
    RemoteProbe probe(bind_options());
    const ScriptedAgent agent(ScriptedAgent::options(probe.endpoint(), "mistaken"),
                              [](const MeasurementJob&) {
                                  return completed({{"latency_ms", 1}, {"val_rmse", 0}});
                              });
    probe.submit(numbered_candidate(1, 1));
    const auto outcomes = collect(probe, 1);
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes.at(1).status, Status::failed) << "the device itself says so";
    EXPECT_THAT(outcomes.at(1).reason, HasSubstr("'val_rmse' (0) is not what a device measures"));
}

TEST(HostileBridge, WhoIsBusyWithWhatNobodyAskedForMakesASearchRememberNothing) {
    const HostileBridge bridge([](const wire::Packet& packet) {
        std::vector<wire::Packet> replies;
        if (!std::holds_alternative<wire::Submit>(packet.message)) return replies;
        for (std::uint64_t id = 1; id <= 200; ++id) {
            replies.push_back({wire::Busy{}, id});
            replies.push_back({wire::Busy{}, packet.request});
        }
        replies.push_back({wire::Refused{"done"}, packet.request});
        return replies;
    });
    RemoteProbeOptions connect;
    connect.edge = {EdgeOption::Mode::connect, bridge.endpoint()};
    RemoteProbe probe(connect);
    probe.submit(numbered_candidate(1, 1));
    EXPECT_EQ(collect(probe, 1).size(), 1u);
    EXPECT_LE(probe.unconfirmed(), 1u);
}

TEST(HostileBridge, WhatASearchRefusesItAsksForAnew) {
    // A bridge of an earlier release has kept what a device said.
    MemoryJobStore store;
    const Candidate candidate = numbered_candidate(1, 8);
    const MeasurementJob job = make_job(candidate.design->spec().to_json(), {}, "");
    MeasurementResult kept = completed({{"latency_ms", 1e-9}, {"val_rmse", 0}});
    kept.device = "evil";
    store.add_result(request_id(job), kept);
    BrokerOptions options;
    options.endpoint = "tcp://127.0.0.1:*";
    const Broker broker(options, store);
    const ScriptedAgent honest(broker.endpoint(), "honest");
    RemoteProbeOptions connect;
    connect.edge = {EdgeOption::Mode::connect, broker.endpoint()};
    RemoteProbe probe(connect);
    probe.submit(candidate);
    Outcome outcome = collect(probe, 1)[1];
    EXPECT_EQ(outcome.status, Status::lost);
    EXPECT_THAT(outcome.reason, HasSubstr("the result of device 'evil' is refused: 'val_rmse'"));
    EXPECT_EQ(honest.measured(), 0u);
    probe.submit(candidate);  // as a search does with what is lost
    outcome = collect(probe, 1)[1];
    EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
    EXPECT_EQ(outcome.metrics, (Metrics{{"latency_ms", 8}}));
}

TEST(HostileBridge, ItsTextsComeInClean) {
    const HostileBridge bridge([](const wire::Packet& packet) -> std::vector<wire::Packet> {
        const std::string& text = test::hostile_text;
        if (std::holds_alternative<wire::Hello>(packet.message))
            return {{wire::DeviceInfo{text, text, Json{{text, text}}.dump()}, 0}};
        if (std::holds_alternative<wire::StatusRequest>(packet.message))
            return {{wire::StatusReply{Json{{text, {text, 1}}}.dump()}, packet.request}};
        if (std::holds_alternative<wire::Submit>(packet.message))
            return {{wire::Refused{text}, packet.request}};
        return {};
    });
    const Json status = bridge_status({bridge.endpoint(), {}, {}}, 20);
    EXPECT_EQ(test::command_in(status.dump()), "");
    EXPECT_EQ(status.begin().key(), printable(test::hostile_text));
    RemoteProbeOptions options;
    options.edge = {EdgeOption::Mode::connect, bridge.endpoint()};
    options.device_class = "wanted";
    RemoteProbe probe(options);
    const double deadline = steady_seconds() + 20;
    BackOff back_off;
    while (probe.link().text.find("those that are") == std::string::npos &&
           steady_seconds() < deadline)
        back_off.wait();
    EXPECT_THAT(probe.link().text, HasSubstr(printable(test::hostile_text)));
    EXPECT_EQ(test::command_in(probe.link().text), "");
    probe.submit(numbered_candidate(1, 8));
    const Outcome outcome = collect(probe, 1)[1];
    EXPECT_EQ(outcome.reason, "refused by the bridge: " + printable(test::hostile_text));
}

}  // namespace
}  // namespace edgeloop::hostile_peers_test
