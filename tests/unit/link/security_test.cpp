// Who may connect to a broker, and what the others are told.
#include "link/allow_list.hpp"
#include "support/eventually.hpp"
#include "support/sample_messages.hpp"
#include "support/scripted_agent.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/agent_session.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>
#include <zmq.hpp>

namespace edgeloop::security_test {
namespace {

using test::eventually;

/// A broker with keys that lets one key in.
class SecuredLink : public testing::Test {
  protected:
    SecuredLink() {
        options.keys = server;
        options.allow_list = folder.path("allowed");
        std::ofstream(options.allow_list) << listed.public_key << "\n"
                                          << device_key.public_key << " device\n"
                                          << search_key.public_key << " search\n"
                                          << operating.public_key << " operator\n";
        broker = std::make_unique<Broker>(options, store);
    }
    [[nodiscard]] AgentOptions agent(const LinkKeys& keys, const std::string& server_key) const {
        AgentOptions made = ScriptedAgent::options(broker->endpoint(), "device");
        made.keys = keys;
        made.server_key = server_key;
        return made;
    }
    /// What an agent that should not get in says about its link.
    static std::string refusal_of(const AgentOptions& agent_options) {
        const AgentSession session(agent_options);
        EXPECT_TRUE(eventually([&] {
            return session.state().find("down") == 0 &&
                   session.state().find("not connected yet") == std::string::npos;
        }));
        EXPECT_NE(session.state(), "connected");
        return session.state();
    }

    test::TemporaryFolder folder;
    LinkKeys server = generate_keys(), listed = generate_keys(), unlisted = generate_keys();
    LinkKeys device_key = generate_keys(), search_key = generate_keys(),
             operating = generate_keys();
    MemoryJobStore store;
    BrokerOptions options;
    std::unique_ptr<Broker> broker;
};

TEST_F(SecuredLink, AListedKeyGetsIn) {
    const AgentSession session(agent(listed, server.public_key));
    EXPECT_TRUE(eventually([&] { return session.state() == "connected"; })) << session.state();
}

TEST_F(SecuredLink, AnUnlistedKeyIsToldSo) {
    const std::string text = refusal_of(agent(unlisted, server.public_key));
    EXPECT_NE(text.find("not on the other's allow-list"), std::string::npos) << text;
}

TEST_F(SecuredLink, AKeyBoundToARoleOpensNoOtherSession) {
    const AgentSession device(agent(device_key, server.public_key));
    EXPECT_TRUE(eventually([&] { return device.state() == "connected"; })) << device.state();
    const std::string text = refusal_of(agent(search_key, server.public_key));
    EXPECT_NE(text.find("listed for a search, not for a device"), std::string::npos) << text;

    RemoteProbeOptions probe_options;
    probe_options.edge = {EdgeOption::Mode::connect, broker->endpoint()};
    probe_options.server_key = server.public_key;
    probe_options.keys = search_key;
    const RemoteProbe search(probe_options);
    EXPECT_TRUE(eventually([&] { return search.link().up; })) << search.link().text;
    probe_options.keys = device_key;
    const RemoteProbe wrong(probe_options);
    EXPECT_TRUE(eventually([&] {
        return wrong.link().text.find("listed for a device, not for a search") != std::string::npos;
    })) << wrong.link().text;
    for (const LinkKeys& keys : {device_key, search_key})
        EXPECT_NO_THROW((void)bridge_status({broker->endpoint(), keys, server.public_key}, 10));
}

TEST_F(SecuredLink, OnlyAnOperatorDropsTheJobsOfOthers) {
    RemoteProbeOptions probe_options;
    probe_options.edge = {EdgeOption::Mode::connect, broker->endpoint()};
    probe_options.server_key = server.public_key;
    probe_options.keys = search_key;
    probe_options.device_class = "nosuch";
    RemoteProbe search(probe_options);
    search.submit(test::numbered_candidate(1, 1));
    ASSERT_TRUE(eventually([&] { return search.unconfirmed() == 0; })) << search.link().text;
    const auto drop_as = [&](const LinkKeys& keys) {
        return drop_jobs({broker->endpoint(), keys, server.public_key}, {0, "nosuch", ""}, 10);
    };
    EXPECT_EQ(drop_as(listed), 0u);
    EXPECT_TRUE(search.poll().empty());
    EXPECT_EQ(drop_as(operating), 1u);
    EXPECT_TRUE(eventually([&] { return !search.poll().empty(); }));
}

TEST_F(SecuredLink, ADeviceOfAnotherKeyDoesNotTakeTheNameOfOneThatIsHere) {
    const AgentSession device(agent(device_key, server.public_key));
    ASSERT_TRUE(eventually([&] { return device.state() == "connected"; })) << device.state();
    const std::string text = refusal_of(agent(listed, server.public_key));
    EXPECT_NE(text.find("connected already"), std::string::npos) << text;
    EXPECT_EQ(device.state(), "connected");
}

TEST_F(SecuredLink, AWrongServerKeyIsAFailedHandshake) {
    AgentOptions wrong = agent(listed, unlisted.public_key);
    const std::string text = refusal_of(wrong);
    EXPECT_NE(text.find("another server key"), std::string::npos) << text;
}

TEST_F(SecuredLink, APlainPeerIsAFailedHandshake) {
    const std::string text = refusal_of(agent({}, {}));
    EXPECT_NE(text.find("only one side uses keys"), std::string::npos) << text;
}

TEST_F(SecuredLink, StrangersDoNotDisturbASessionAtWork) {
    std::vector<std::unique_ptr<AgentSession>> strangers;
    for (int i = 0; i < 5; ++i) {
        strangers.push_back(std::make_unique<AgentSession>(agent({}, {})));
        strangers.push_back(std::make_unique<AgentSession>(agent(unlisted, server.public_key)));
    }
    ScriptedAgent device(agent(listed, server.public_key), [](const MeasurementJob&) {
        MeasurementResult result;
        result.metrics["latency_ms"] = 1;
        return result;
    });
    RemoteProbeOptions probe_options;
    probe_options.edge = {EdgeOption::Mode::connect, broker->endpoint()};
    probe_options.keys = listed;
    probe_options.server_key = server.public_key;
    RemoteProbe probe(probe_options);
    for (CandidateId id = 1; id <= 50; ++id) {
        probe.submit(test::numbered_candidate(id, id));
    }
    std::size_t settled = 0;
    EXPECT_TRUE(eventually([&] {
        settled += probe.poll().size();
        return settled == 50;
    }));
    for (const auto& stranger : strangers) EXPECT_NE(stranger->state(), "connected");
}

/// A search that devices dial in to, with keys and a folder that says which.
class SearchWithKeys : public testing::Test {
  protected:
    SearchWithKeys() {
        std::filesystem::create_directories(folder.path("allowed/devices"));
        list("first", first);
        RemoteProbeOptions options;
        options.edge = {EdgeOption::Mode::bind, "tcp://127.0.0.1:*"};
        options.keys = server;
        options.allow_list = folder.path("allowed");
        probe = std::make_unique<RemoteProbe>(options);
    }
    [[nodiscard]] std::string file_of(const std::string& name) const {
        return folder.path("allowed/devices/" + name + ".pub");
    }
    void list(const std::string& name, const LinkKeys& keys) const {
        std::ofstream(file_of(name)) << keys.public_key << "\n";
    }
    [[nodiscard]] std::unique_ptr<ScriptedAgent> device(const std::string& name,
                                                        const LinkKeys& keys) const {
        AgentOptions options = ScriptedAgent::options(probe->endpoint(), name);
        options.keys = keys;
        options.server_key = server.public_key;
        options.max_back_off_s = 32;
        return std::make_unique<ScriptedAgent>(options, [](const MeasurementJob&) {
            MeasurementResult result;
            result.metrics["latency_ms"] = 1;
            return result;
        });
    }
    void submit(CandidateId id) const { probe->submit(test::numbered_candidate(id, id)); }

    test::TemporaryFolder folder;
    LinkKeys server = generate_keys(), first = generate_keys(), second = generate_keys();
    std::unique_ptr<RemoteProbe> probe;
};

TEST_F(SearchWithKeys, GetsAnswersFromADeviceThatIsListed) {
    const auto agent = device("first", first);
    submit(1);
    std::vector<Outcome> outcomes;
    EXPECT_TRUE(eventually([&] { return !(outcomes = probe->poll()).empty(); }))
        << probe->link().text;
    EXPECT_EQ(outcomes.at(0).status, Status::completed) << outcomes.at(0).reason;
}

TEST_F(SearchWithKeys, LetsANewDeviceInAndARemovedOneOutWithoutARestart) {
    const auto one = device("first", first), two = device("second", second);
    EXPECT_TRUE(eventually([&] { return one->session().state() == "connected"; }));
    EXPECT_TRUE(eventually([&] {
        return two->session().state().find("allow-list") != std::string::npos;
    })) << two->session().state();
    list("second", second);
    EXPECT_TRUE(eventually([&] { return two->session().state() == "connected"; }, 20))
        << two->session().state();
    std::filesystem::remove(file_of("first"));
    EXPECT_TRUE(eventually([&] { return one->session().state() != "connected"; }, 20));
    EXPECT_TRUE(eventually([&] { return probe->link().devices == 1; }));
    EXPECT_TRUE(eventually([&] {
        return one->session().state().find("not on the other's allow-list") != std::string::npos;
    })) << one->session().state();
    EXPECT_EQ(two->session().state(), "connected");
    submit(1);
    EXPECT_TRUE(eventually([&] { return !probe->poll().empty(); })) << probe->link().text;
    EXPECT_EQ(two->measured(), 1u);
}

TEST(OpenLink, APeerWithKeysAtAPlainBrokerIsAFailedHandshake) {
    MemoryJobStore store;
    const Broker broker(BrokerOptions{}, store);
    AgentOptions options = ScriptedAgent::options(broker.endpoint(), "device");
    options.keys = generate_keys();
    options.server_key = generate_keys().public_key;
    const AgentSession session(options);
    EXPECT_TRUE(eventually([&] {
        return session.state().find("only one side uses keys") != std::string::npos;
    })) << session.state();
}

TEST(OpenLink, ABrokerDoesNotListenToTheNetworkWithoutKeys) {
    MemoryJobStore store;
    BrokerOptions options;
    options.endpoint = "tcp://*:*";
    EXPECT_THROW(Broker(options, store), ConfigError);
    options.allow_plain_network = true;
    EXPECT_NO_THROW(Broker(options, store));
    RemoteProbeOptions probe;
    probe.edge = {EdgeOption::Mode::connect, "tcp://192.0.2.1:5701"};
    EXPECT_THROW(RemoteProbe{probe}, ConfigError);
}

const std::string this_version = "version " + std::to_string(wire::protocol_version);

/// `packet` in an envelope of protocol version 9.
std::string from_the_future(const wire::Packet& packet) {
    return seal({"ELNK", 9}, {0, packet.request, wire::encode(packet)});
}

TEST(OpenLink, AnotherProtocolVersionIsRefusedWithBothVersions) {
    MemoryJobStore store;
    const Broker broker(BrokerOptions{}, store);
    zmq::context_t context;
    zmq::socket_t future(context, zmq::socket_type::dealer);
    future.set(zmq::sockopt::linger, 0);
    future.set(zmq::sockopt::rcvtimeo, 10'000);
    future.connect(broker.endpoint());
    future.send(zmq::buffer(from_the_future(wire::sample_packets()[0])));
    zmq::message_t answer;
    ASSERT_TRUE(future.recv(answer));
    const auto packet = wire::decode({static_cast<const char*>(answer.data()), answer.size()}, "");
    const auto& refused = std::get<wire::Refused>(packet.message);
    EXPECT_NE(refused.reason.find("version 9"), std::string::npos);
    EXPECT_NE(refused.reason.find(this_version), std::string::npos);
}

TEST(OpenLink, AnAgentSaysWhenTheOtherSideSpeaksAnotherVersion) {
    zmq::context_t context;
    zmq::socket_t future(context, zmq::socket_type::router);
    future.set(zmq::sockopt::linger, 0);
    future.set(zmq::sockopt::rcvtimeo, 10'000);
    future.bind("tcp://127.0.0.1:*");
    const AgentSession session(
        ScriptedAgent::options(future.get(zmq::sockopt::last_endpoint), "device"));
    zmq::message_t route, hello;
    ASSERT_TRUE(future.recv(route));
    ASSERT_TRUE(future.recv(hello));
    future.send(route, zmq::send_flags::sndmore);
    future.send(zmq::buffer(from_the_future({wire::Welcome{}, 0})));
    EXPECT_TRUE(eventually([&] {
        return session.state().find("version 9") != std::string::npos &&
               session.state().find(this_version) != std::string::npos;
    })) << session.state();
}

TEST(OpenLink, GarbageAndOversizedMessagesDoNotDisturbASession) {
    MemoryJobStore store;
    const Broker broker(BrokerOptions{}, store);
    const AgentSession session(ScriptedAgent::options(broker.endpoint(), "device"));
    ASSERT_TRUE(eventually([&] { return session.state() == "connected"; }));
    zmq::context_t context;
    for (int i = 0; i < 20; ++i) {
        zmq::socket_t noise(context, zmq::socket_type::dealer);
        noise.set(zmq::sockopt::linger, 200);
        noise.connect(broker.endpoint());
        noise.send(zmq::buffer(std::string(i % 2 == 0 ? 100 : 1 << 20, 'x')));
        noise.send(zmq::buffer(std::string()));
        noise.send(zmq::buffer(std::string("two")), zmq::send_flags::sndmore);
        noise.send(zmq::buffer(std::string("frames")));
    }
    EXPECT_NO_THROW(broker.check());
    EXPECT_EQ(session.state(), "connected");
}

TEST(Endpoints, HaveAPortThatExists) {
    for (const char* good : {"tcp://*:5701", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0",
                             "tcp://[::1]:65535", "ipc:///s"})
        EXPECT_NO_THROW(check_endpoint(good, EndpointUse::listen)) << good;
    for (const char* bad :
         {"tcp://127.0.0.1:99999", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:-1",
          "tcp://127.0.0.1:", "tcp://127.0.0.1", "tcp://:5701", "tcp://h:57o1", "tcp://h:5701 ",
          "tcp://::1:5701", "tcp://[::1]", "ipc://", "udp://h:5701", "h:5701", ""}) {
        EXPECT_THROW(check_endpoint(bad, EndpointUse::listen), ConfigError) << bad;
        EXPECT_THROW(check_endpoint(bad, EndpointUse::connect), ConfigError) << bad;
        EXPECT_THROW((void)parse_edge_option(bad), ConfigError) << bad;
        EXPECT_THROW((void)parse_edge_option(std::string("bind:") + bad), ConfigError) << bad;
    }
    for (const char* open : {"tcp://127.0.0.1:*", "tcp://127.0.0.1:0"})
        EXPECT_THROW(check_endpoint(open, EndpointUse::connect), ConfigError) << open;
}

TEST(Endpoints, OfSocketsAreAsLongAsTheSystemAllows) {
    const std::string longest = "ipc://" + std::string(107, 'x');
    EXPECT_NO_THROW(check_endpoint(longest, EndpointUse::connect));
    EXPECT_THROW(check_endpoint(longest + "x", EndpointUse::connect), ConfigError);
}

TEST(Names, ThatCannotTravelAreRefusedBeforeAnyThreadSendsThem) {
    MemoryJobStore store;
    const Broker broker(BrokerOptions{}, store);
    for (const std::string& bad :
         {std::string(300, 'x'), std::string("two\nlines"), std::string("Latin \xe4")}) {
        AgentOptions agent = ScriptedAgent::options(broker.endpoint(), "d", bad);
        EXPECT_THROW(AgentSession{agent}, ConfigError);
        agent.device_class = "c";
        agent.name = bad;
        EXPECT_THROW(AgentSession{agent}, ConfigError);
        RemoteProbeOptions options;
        options.edge = {EdgeOption::Mode::connect, broker.endpoint()};
        options.device_class = bad;
        EXPECT_THROW(RemoteProbe{options}, ConfigError);
        options.device_class.clear();
        options.settings.weights = std::string(5000, 'w');
        EXPECT_THROW(RemoteProbe{options}, ConfigError);
        // The name of a search is a label only: it is made to fit.
        options.settings.weights.clear();
        options.name = bad;
        const RemoteProbe probe(options);
        EXPECT_TRUE(eventually([&] { return probe.link().text.find("no device connected") == 0; }))
            << probe.link().text;
    }
}

TEST(RareLines, OfAKindAreFewHoweverManyThereAre) {
    const test::TemporaryFolder folder;
    log::configure(log::Level::info, "", folder.path("log"));
    RareLog rare;
    for (int i = 0; i < 1000; ++i) rare.warning("stranger", "knock", 100 + i * 1e-3);
    rare.warning("other", "another kind", 101);
    rare.warning("stranger", "later", 120);
    log::configure(log::Level::info);
    const std::string text = read_file(folder.path("log"));
    EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 20) << text;
    EXPECT_NE(text.find("another kind"), std::string::npos);
    EXPECT_NE(text.find("later (992 like it were not shown)"), std::string::npos) << text;
}

TEST(Endpoints, AreLocalOnlyByNumberOrWhenCalledLocalhost) {
    for (const char* local :
         {"tcp://[0:0:0:0:0:0:0:1]:1", "tcp://[::ffff:127.0.0.1]:1", "ipc:///s", "inproc://x",
          "tcp://127.0.0.1:*", "tcp://127.9.8.7:1", "tcp://localhost:5701", "tcp://[::1]:5701"})
        EXPECT_TRUE(is_local_endpoint(local)) << local;
    for (const char* remote :
         {"tcp://127.evil.example:5701", "tcp://127.0.0.1.evil.example:5701", "tcp://127.1:5701",
          "tcp://localhost.evil.example:5701", "tcp://*:5701", "tcp://0.0.0.0:5701",
          "tcp://12.7.0.1:5701", "tcp://[::]:5701", "tcp://[::2]:1", "tcp://[::ffff:10.0.0.1]:1",
          "tcp://[]:1", "tcp://", "tcp:/127.0.0.1:1", ""})
        EXPECT_FALSE(is_local_endpoint(remote)) << remote;
}

TEST(Keys, AreWrittenForTheirOwnerOnlyAndReadBack) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("bridge.key");
    const LinkKeys keys = generate_keys();
    write_keys(path, keys);
    EXPECT_EQ(read_keys(path).secret_key, keys.secret_key);
    EXPECT_EQ(read_keys(path).public_key, keys.public_key);
    EXPECT_EQ(read_public_key(path + ".pub"), keys.public_key);
    EXPECT_THROW(write_keys(path, keys), ConfigError) << "keys must not be overwritten";
    std::filesystem::permissions(path, std::filesystem::perms::group_read,
                                 std::filesystem::perm_options::add);
    EXPECT_THROW((void)read_keys(path), ConfigError);
}

TEST(Keys, FilesWithOtherContentAreRefused) {
    const test::TemporaryFolder folder;
    const LinkKeys one = generate_keys(), other = generate_keys();
    for (const std::string& text : {std::string(), std::string("short\n"), one.secret_key + "\n",
                                    one.secret_key + "\n" + other.public_key + "\n"}) {
        const std::string path = folder.path("key");
        std::ofstream(path) << text;
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        EXPECT_THROW((void)read_keys(path), ConfigError);
    }
}

/// An allow-list on disk, looked at as time passes.
class WatchedList : public testing::Test {
  protected:
    bool later() { return list->refresh(now += 2); }

    test::TemporaryFolder folder;
    std::string path = folder.path("list");
    LinkKeys a = generate_keys(), b = generate_keys();
    std::unique_ptr<AllowList> list;
    double now = 100;
};

TEST_F(WatchedList, TakesNewKeysAtOnceAndDropsThoseThatAreGoneAtTwoLooks) {
    std::ofstream(path) << a.public_key << "\n";
    list = std::make_unique<AllowList>(path);
    EXPECT_FALSE(later());
    std::ofstream(path) << a.public_key << "\n" << b.public_key << " search\n";
    EXPECT_TRUE(later());
    EXPECT_TRUE(list->contains(b.public_key));
    EXPECT_FALSE(list->refusal(b.public_key, wire::Role::agent).empty());
    std::ofstream(path) << b.public_key << "\n";
    EXPECT_TRUE(later()) << "another role";
    EXPECT_TRUE(list->contains(a.public_key));
    EXPECT_TRUE(later());
    EXPECT_FALSE(list->contains(a.public_key));
    EXPECT_TRUE(list->refusal(b.public_key, wire::Role::agent).empty());
}

TEST_F(WatchedList, ThrowsNobodyOutWhileItIsWritten) {
    const std::string whole = a.public_key + "\n" + b.public_key + "\n";
    std::ofstream(path) << whole;
    list = std::make_unique<AllowList>(path);
    for (const std::size_t length : {std::size_t(0), std::size_t(17), std::size_t(41)}) {
        std::ofstream(path) << whole.substr(0, length);
        later();
        EXPECT_TRUE(list->contains(a.public_key) && list->contains(b.public_key)) << length;
        std::ofstream(path) << whole;
        EXPECT_FALSE(later());
    }
    std::filesystem::remove(path);
    EXPECT_FALSE(later());
    EXPECT_FALSE(later());
    EXPECT_TRUE(list->contains(a.public_key));
}

TEST_F(WatchedList, AMalformedFileInAFolderDoesNotStopTheOthers) {
    path = folder.path("allowed");
    std::filesystem::create_directories(path);
    std::ofstream(path + "/a.pub") << a.public_key << "\n";
    list = std::make_unique<AllowList>(path);
    std::ofstream(path + "/broken.pub") << "half a key";
    std::ofstream(path + "/b.pub") << b.public_key << "\n";
    EXPECT_TRUE(later());
    EXPECT_TRUE(list->contains(b.public_key));
    std::filesystem::remove(path + "/a.pub");
    later();
    EXPECT_TRUE(later());
    EXPECT_FALSE(list->contains(a.public_key));
}

TEST(Keys, AMissingAllowListSaysHowToMakeIt) {
    const test::TemporaryFolder folder;
    try {
        (void)AllowList(folder.path("allowed"));
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_NE(error.suggestion().find("mkdir"), std::string::npos);
    }
}

TEST(Keys, AnAllowListIsAFileOrAFolder) {
    const test::TemporaryFolder folder;
    const LinkKeys a = generate_keys(), b = generate_keys();
    std::ofstream(folder.path("list")) << "# devices\n"
                                       << a.public_key << " lab\n\n"
                                       << b.public_key << " device shelf 2\n";
    const AllowList list(folder.path("list"));
    EXPECT_EQ(list.refusal(a.public_key, wire::Role::client), "");
    EXPECT_EQ(list.refusal(a.public_key, wire::Role::agent), "");
    EXPECT_NE(list.refusal(b.public_key, wire::Role::client), "");
    EXPECT_EQ(list.refusal(b.public_key, wire::Role::agent), "");
    std::ofstream(folder.path("roles")) << a.public_key << " operator\n"
                                        << a.public_key << " search\n"
                                        << b.public_key << " search\n";
    const AllowList roles(folder.path("roles"));
    EXPECT_TRUE(roles.operates(a.public_key));
    EXPECT_EQ(roles.refusal(a.public_key, wire::Role::client), "");
    EXPECT_FALSE(roles.operates(b.public_key) || roles.operates("nobody"));
    EXPECT_FALSE(list.operates(a.public_key)) << "whoever has no role is none";
    std::filesystem::create_directories(folder.path("keys/operators"));
    std::ofstream(folder.path("keys/operators/b.pub")) << b.public_key << "\n";
    std::filesystem::create_directories(folder.path("keys/searches"));
    std::ofstream(folder.path("keys/a.pub")) << a.public_key << "\n";
    std::ofstream(folder.path("keys/notes.txt")) << "not a key\n";
    std::ofstream(folder.path("keys/searches/b.pub")) << b.public_key << "\n";
    const AllowList keys(folder.path("keys"));
    EXPECT_EQ(keys.refusal(a.public_key, wire::Role::client), "");
    EXPECT_EQ(keys.refusal(a.public_key, wire::Role::agent), "");
    EXPECT_EQ(keys.refusal(b.public_key, wire::Role::client), "");
    EXPECT_TRUE(keys.operates(b.public_key)) << "in both folders";
    std::filesystem::remove(folder.path("keys/operators/b.pub"));
    EXPECT_NE(AllowList(folder.path("keys")).refusal(b.public_key, wire::Role::agent), "");
    std::ofstream(folder.path("bad")) << "nonsense\n";
    EXPECT_THROW((void)AllowList(folder.path("bad")), ConfigError);
}

}  // namespace
}  // namespace edgeloop::security_test
