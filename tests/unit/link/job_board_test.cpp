// The broker's rules, with made-up time and no sockets.
#include "edgeloop/link/job_board.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

MeasurementJob job(int number, const std::string& device_class = "") {
    return {Json{{"n", number}}.dump(), "{}", device_class};
}

/// A board, a clock and what was sent.
class Board {
  public:
    explicit Board(JobStore& store) : board_({}, store, 1, 0) {}

    void client(const std::string& name) { hello(wire::Role::client, name, 1, ""); }
    void agent(const std::string& name, std::uint64_t nonce = 1, std::uint32_t credit = 1,
               const std::string& device_class = "c", const std::string& session = "") {
        hello(wire::Role::agent, name, nonce, device_class, session);
        say(session.empty() ? name : session, wire::Ready{credit});
    }
    std::uint64_t submit(const std::string& client, const MeasurementJob& wanted,
                         std::int32_t priority = 0) {
        const std::uint64_t id = request_id(wanted);
        say(client, wire::Submit{wanted, priority}, id);
        return id;
    }
    void finish(const std::string& agent, std::uint64_t id, double latency_ms = 1) {
        MeasurementResult result;
        result.metrics["latency_ms"] = latency_ms;
        say(agent, wire::Result{result}, id);
    }
    void say(const std::string& from, wire::Message message, std::uint64_t id = 0) {
        board_.receive(from, {std::move(message), id}, now);
        collect();
    }
    void vanish(const std::string& session) {
        board_.disconnected(session, now);
        collect();
    }
    void pass(double seconds) {
        now += seconds;
        board_.tick(now);
        collect();
    }
    /// Requests of the messages of type M sent to `session`, and forgets them.
    template <class M>
    std::vector<std::uint64_t> received(const std::string& session) {
        std::vector<std::uint64_t> ids;
        for (auto sent = sent_.begin(); sent != sent_.end();) {
            if (sent->to == session && std::holds_alternative<M>(sent->packet.message)) {
                ids.push_back(sent->packet.request);
                sent = sent_.erase(sent);
            } else {
                ++sent;
            }
        }
        return ids;
    }
    [[nodiscard]] Json status() const { return board_.status(now); }

    double now = 0;

  private:
    void hello(wire::Role role, const std::string& name, std::uint64_t nonce,
               const std::string& device_class, const std::string& session = "") {
        say(session.empty() ? name : session, wire::Hello{role, name, nonce, device_class, "{}"});
    }
    void collect() {
        for (auto& sent : board_.take_outgoing()) sent_.push_back(std::move(sent));
    }

    JobBoard board_;
    std::vector<JobBoard::Outgoing> sent_;
};

using Ids = std::vector<std::uint64_t>;

class JobBoardTest : public testing::Test {
  protected:
    MemoryJobStore store;
    Board board{store};
};

TEST_F(JobBoardTest, AJobGoesToADeviceAndItsResultBack) {
    board.client("search");
    board.agent("device");
    const std::uint64_t id = board.submit("search", job(1));
    EXPECT_EQ(board.received<wire::Accepted>("search"), Ids{id});
    EXPECT_EQ(board.received<wire::Job>("device"), Ids{id});
    board.finish("device", id);
    EXPECT_EQ(board.received<wire::ResultAck>("device"), Ids{id});
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
}

TEST_F(JobBoardTest, ARepeatedRequestIsAnsweredFromTheStore) {
    board.client("a");
    board.client("b");
    board.agent("device");
    const std::uint64_t id = board.submit("a", job(1));
    board.finish("device", id);
    board.submit("b", job(1));
    EXPECT_EQ(board.received<wire::Result>("b"), Ids{id});
    EXPECT_EQ(board.received<wire::Job>("device"), Ids{id}) << "measured once only";
}

TEST_F(JobBoardTest, AnIdThatDoesNotBelongToTheJobIsRefused) {
    board.client("liar");
    board.agent("device");
    board.say("liar", wire::Submit{job(1), 0}, 12345);
    EXPECT_EQ(board.received<wire::Refused>("liar"), Ids{12345});
    EXPECT_TRUE(board.received<wire::Job>("device").empty());
}

TEST_F(JobBoardTest, ADeviceGetsNoMoreThanItsCredit) {
    board.client("search");
    board.agent("device", 1, 2);
    for (int i = 0; i < 5; ++i) board.submit("search", job(i));
    const Ids first = board.received<wire::Job>("device");
    ASSERT_EQ(first.size(), 2u);
    board.finish("device", first[0]);
    EXPECT_EQ(board.received<wire::Job>("device").size(), 1u);
}

TEST_F(JobBoardTest, IdleDevicesComeBeforeSecondHelpings) {
    board.client("search");
    board.agent("a", 1, 2);
    board.agent("b", 1, 2);
    board.submit("search", job(1));
    board.submit("search", job(2));
    EXPECT_EQ(board.received<wire::Job>("a").size(), 1u);
    EXPECT_EQ(board.received<wire::Job>("b").size(), 1u);
}

TEST_F(JobBoardTest, SearchesTakeTurnsAndPriorityCountsWithinOne) {
    board.client("greedy");
    board.client("modest");
    for (int i = 0; i < 10; ++i) board.submit("greedy", job(i));
    const std::uint64_t urgent = board.submit("greedy", job(100), 5);
    const std::uint64_t modest = board.submit("modest", job(200));
    board.agent("device", 1, 2);
    Ids first = board.received<wire::Job>("device");
    std::sort(first.begin(), first.end());
    Ids expected{urgent, modest};
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(first, expected);
}

TEST_F(JobBoardTest, AJobOfAClassWaitsForADeviceOfIt) {
    board.client("search");
    board.agent("wrong", 1, 1, "other");
    const std::uint64_t id = board.submit("search", job(1, "wanted"));
    EXPECT_TRUE(board.received<wire::Job>("wrong").empty());
    board.agent("right", 1, 1, "wanted");
    EXPECT_EQ(board.received<wire::Job>("right"), Ids{id});
}

TEST_F(JobBoardTest, ASilentDeviceLosesItsJobsToTheNext) {
    board.client("search");
    board.agent("silent");
    const std::uint64_t id = board.submit("search", job(1));
    board.agent("next");
    for (int i = 0; i < 20; ++i) {
        board.pass(1);
        board.say("search", wire::Heartbeat{});
        board.say("next", wire::Heartbeat{});
    }
    EXPECT_EQ(board.received<wire::Job>("next"), Ids{id});
}

TEST_F(JobBoardTest, AMeasuringDeviceMayBeQuietForLonger) {
    board.client("search");
    board.agent("device");
    const std::uint64_t id = board.submit("search", job(1));
    board.say("device", wire::Started{}, id);
    board.agent("next");
    for (int i = 0; i < 10; ++i) {
        board.pass(1);
        board.say("next", wire::Heartbeat{});
    }
    EXPECT_TRUE(board.received<wire::Job>("next").empty());
}

TEST_F(JobBoardTest, ACandidateThatEndsThreeAgentsIsReportedAsCrashing) {
    board.client("search");
    const std::uint64_t id = board.submit("search", job(1));
    for (std::uint64_t nonce = 1; nonce <= 3; ++nonce) {
        board.agent("device", nonce);
        EXPECT_EQ(board.received<wire::Job>("device"), Ids{id});
        board.say("device", wire::Started{}, id);
        board.vanish("device");
    }
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    EXPECT_EQ(store.result(id)->status, Status::failed);
    EXPECT_NE(store.result(id)->reason.find("crashing"), std::string::npos);
    board.agent("device", 4);
    EXPECT_TRUE(board.received<wire::Job>("device").empty());
}

TEST_F(JobBoardTest, OnlyTheJobBeingMeasuredIsBlamedForALostAgent) {
    board.client("search");
    std::vector<std::uint64_t> ids;
    for (int n = 1; n <= 3; ++n) ids.push_back(board.submit("search", job(n)));
    for (std::uint64_t process = 1; process <= 3; ++process) {
        const std::string session = "s" + std::to_string(process);
        board.agent("device", process, 3, "c", session);
        // The first is measured and waits to be confirmed, the last has not begun.
        board.say(session, wire::Started{}, ids[0]);
        board.say(session, wire::Started{}, ids[1]);
        board.vanish(session);
    }
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{ids[1]});
    EXPECT_EQ(store.result(ids[1])->status, Status::failed);
}

TEST_F(JobBoardTest, AnOutageOfTheLinkIsNoCrash) {
    board.client("search");
    const std::uint64_t id = board.submit("search", job(1));
    for (int i = 0; i < 6; ++i) {  // the same process each time
        const std::string session = "s" + std::to_string(i);
        board.agent("device", 7, 1, "c", session);
        board.say(session, wire::Heartbeat{id, {id}});
        board.vanish(session);
    }
    EXPECT_TRUE(board.received<wire::Result>("search").empty());
}

TEST_F(JobBoardTest, AReconnectingProcessKeepsItsJob) {
    board.client("search");
    board.agent("device", 7, 1, "c", "old");
    const std::uint64_t id = board.submit("search", job(1));
    board.say("old", wire::Started{}, id);
    board.agent("other");
    board.agent("device", 7, 1, "c", "new");
    EXPECT_TRUE(board.received<wire::Job>("other").empty());
    board.finish("new", id);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
}

TEST_F(JobBoardTest, AJobSentOverALostConnectionIsSentAgain) {
    board.client("search");
    board.agent("device", 7, 1, "c", "old");
    const std::uint64_t id = board.submit("search", job(1));
    board.agent("device", 7, 1, "c", "new");
    EXPECT_EQ(board.received<wire::Job>("new"), Ids{id});
}

TEST_F(JobBoardTest, AnOrderlyEndIsNoCrash) {
    board.client("search");
    const std::uint64_t id = board.submit("search", job(1));
    for (std::uint64_t nonce = 1; nonce <= 5; ++nonce) {
        board.agent("device", nonce);
        board.say("device", wire::Started{}, id);
        board.say("device", wire::Goodbye{});
    }
    EXPECT_TRUE(board.received<wire::Result>("search").empty());
}

TEST_F(JobBoardTest, ADeviceThatCouldNotMeasureReturnsTheJob) {
    board.client("search");
    board.agent("device");
    const std::uint64_t id = board.submit("search", job(1));
    EXPECT_EQ(board.received<wire::Job>("device"), Ids{id});
    MeasurementResult lost;
    lost.status = Status::lost;
    board.say("device", wire::Result{lost}, id);
    EXPECT_TRUE(board.received<wire::Result>("search").empty());
    EXPECT_EQ(board.received<wire::Job>("device"), Ids{id});
}

TEST_F(JobBoardTest, CancelledJobsAreNotMeasuredUnlessAnotherWantsThem) {
    board.client("a");
    board.client("b");
    const std::uint64_t only_a = board.submit("a", job(1)), both = board.submit("a", job(2));
    board.submit("b", job(2));
    board.say("a", wire::Cancel{}, only_a);
    board.say("a", wire::Cancel{}, both);
    board.agent("device", 1, 5);
    EXPECT_EQ(board.received<wire::Job>("device"), Ids{both});
}

TEST_F(JobBoardTest, AStrangerIsAskedToSayHello) {
    board.say("stranger", wire::Heartbeat{});
    EXPECT_EQ(board.received<wire::UnknownSession>("stranger").size(), 1u);
    board.say("stranger", wire::Submit{job(1), 0}, request_id(job(1)));
    EXPECT_EQ(board.status().at("open_jobs"), 0);
}

TEST_F(JobBoardTest, AClientMayNotPoseAsADevice) {
    board.client("search");
    board.agent("device");
    const std::uint64_t id = board.submit("search", job(1));
    board.client("mallory");
    board.finish("mallory", id, 0.001);
    EXPECT_TRUE(board.received<wire::Result>("search").empty());
    EXPECT_FALSE(store.has_result(id));
}

TEST_F(JobBoardTest, NamesWithControlCharactersAreRefused) {
    board.say("s", wire::Hello{wire::Role::client, "two\nlines", 1, "", ""});
    EXPECT_EQ(board.received<wire::Refused>("s").size(), 1u);
    EXPECT_TRUE(board.received<wire::Welcome>("s").empty());
}

TEST(JobBoardLimits, SessionsAndQueueAreBounded) {
    MemoryJobStore store;
    BoardOptions options;
    options.max_sessions = 2;
    options.max_queued = 3;
    JobBoard board(options, store, 1, 0);
    const auto count = [&](auto kind) {
        std::size_t found = 0;
        for (const auto& sent : board.take_outgoing())
            found += std::holds_alternative<decltype(kind)>(sent.packet.message) ? 1 : 0;
        return found;
    };
    for (const char* name : {"a", "b", "c"})
        board.receive(name, {wire::Hello{wire::Role::client, name, 1, "", ""}, 0}, 0);
    EXPECT_EQ(count(wire::Refused{}), 1u);
    for (int i = 0; i < 5; ++i)
        board.receive("a", {wire::Submit{job(i), 0}, request_id(job(i))}, 0);
    EXPECT_EQ(count(wire::Busy{}), 2u);
}

}  // namespace
}  // namespace edgeloop
