// The broker's rules, with made-up time and no sockets.
#include "edgeloop/link/job_board.hpp"

#include "support/board.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgeloop::job_board_test {
namespace {

using test::Board;
using test::job;
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
    EXPECT_FALSE(store.result(id)) << "the devices' failure is not kept";
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

TEST_F(JobBoardTest, AnObserverOnlyAsksForStatus) {
    board.client("search");
    const std::uint64_t id = board.submit("search", job(1));
    board.say("observer", wire::Hello{wire::Role::observer, "observer", 1, "", "{}"});
    (void)board.submit("observer", job(2));
    board.say("observer", wire::Cancel{}, id);
    board.say("observer", wire::Drop{}, id);
    EXPECT_TRUE(board.received<wire::Accepted>("observer").empty());
    board.agent("device", 1, 2);
    EXPECT_EQ(board.received<wire::Job>("device"), Ids{id});
}

TEST_F(JobBoardTest, AnOrderlyEndIsNoCrash) {
    board.client("search");
    const std::uint64_t id = board.submit("search", job(1));
    for (std::uint64_t nonce = 1; nonce <= 5; ++nonce) {
        board.agent("device", nonce);
        board.say("device", wire::Started{}, id);
        board.say("device", wire::Shutdown{});
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

TEST_F(JobBoardTest, AJobThatNoDeviceCanMeasureIsAnsweredAsLostAfterAFewTries) {
    board.client("search");
    board.agent("device");
    const std::uint64_t id = board.submit("search", job(1));
    MeasurementResult lost;
    lost.status = Status::lost;
    lost.reason = "the measuring process ended";
    for (int i = 0; i < 3; ++i) board.say("device", wire::Result{lost}, id);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    EXPECT_EQ(board.status().at("open_jobs"), 0);
}

MeasurementResult failure(FailureOf whose) {
    MeasurementResult result;
    result.status = Status::failed;
    result.failure_of = whose;
    result.reason = "no";
    return result;
}

TEST_F(JobBoardTest, AFailureOfTheDeviceIsTriedOnAnotherAndNeverKept) {
    board.client("search");
    board.agent("a");
    const std::uint64_t id = board.submit("search", job(1));
    board.agent("b");
    board.say("a", wire::Result{failure(FailureOf::device)}, id);
    EXPECT_TRUE(board.received<wire::Result>("search").empty());
    EXPECT_EQ(board.received<wire::Job>("a"), Ids{id});
    EXPECT_EQ(board.received<wire::Job>("b"), Ids{id});
    board.finish("b", id);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    EXPECT_EQ(store.result(id)->device, "b");
}

TEST_F(JobBoardTest, WhereNoOtherDeviceIsAFailureOfTheDeviceIsTheAnswerButNotForTheNext) {
    board.client("search");
    board.agent("a");
    board.agent("other class", 1, 1, "other");
    const MeasurementJob wanted = job(1, "c");
    const std::uint64_t id = board.submit("search", wanted);
    board.say("a", wire::Result{failure(FailureOf::device)}, id);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    EXPECT_TRUE(board.received<wire::Job>("other class").empty());
    EXPECT_EQ(store.results(), 0u);
    EXPECT_EQ(board.received<wire::Job>("a"), Ids{id});
    board.submit("search", wanted);
    EXPECT_EQ(board.received<wire::Job>("a"), Ids{id}) << "asked again, measured again";
}

TEST_F(JobBoardTest, AFailureOfTheNetworkIsKept) {
    board.client("search");
    board.agent("a");
    board.agent("b");
    const std::uint64_t id = board.submit("search", job(1));
    board.say("a", wire::Result{failure(FailureOf::network)}, id);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    board.submit("search", job(1));
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    EXPECT_TRUE(board.received<wire::Job>("b").empty());
}

TEST_F(JobBoardTest, AFailureThatAnEarlierVersionKeptIsNotTheAnswer) {
    const MeasurementJob wanted = job(1);
    store.add_result(request_id(wanted), failure(FailureOf::device));  // it kept all alike
    board.client("search");
    board.agent("a");
    const std::uint64_t id = board.submit("search", wanted);
    EXPECT_EQ(board.received<wire::Job>("a"), Ids{id});
}

TEST_F(JobBoardTest, AnAnswerThatIsNotValidIsGivenButMeasuredAgainWhenAskedAgainAndElsewhere) {
    board.client("search");
    board.agent("a");
    const std::uint64_t id = board.submit("search", job(1));
    MeasurementResult unsure;
    unsure.metrics = {{"latency_ms", 2}, {"latency_valid", 0}};
    board.say("a", wire::Result{unsure}, id);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    EXPECT_EQ(store.results(), 0u);
    EXPECT_EQ(board.received<wire::Job>("a"), Ids{id});
    board.submit("search", job(1));
    EXPECT_EQ(board.received<wire::Job>("a"), Ids{id}) << "the only device";
    board.say("a", wire::Result{unsure}, id);
    board.agent("b");
    board.submit("search", job(1));
    EXPECT_TRUE(board.received<wire::Job>("a").empty());
    EXPECT_EQ(board.received<wire::Job>("b"), Ids{id});
    board.finish("b", id);
    EXPECT_EQ(store.results(), 1u);
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
    EXPECT_FALSE(store.result(id));
}

TEST_F(JobBoardTest, ADeviceAnswersOnlyWhatItWasGiven) {
    board.client("search");
    board.agent("honest");
    const std::uint64_t id = board.submit("search", job(1));
    board.agent("liar");
    board.finish("liar", id, 0.001);
    EXPECT_FALSE(store.result(id));
    EXPECT_EQ(board.received<wire::ResultAck>("liar"), Ids{id}) << "or it says it for ever";
    EXPECT_EQ(board.status().at("refused_answers"), 1);
    EXPECT_NE(board.status().at("last_errors").dump().find("'liar'"), std::string::npos);
    board.finish("honest", id, 5);
    EXPECT_DOUBLE_EQ(store.result(id)->metrics.at("latency_ms"), 5);
}

TEST_F(JobBoardTest, AWaitingJobIsNotClaimedByADeviceThatNeverGotIt) {
    board.client("search");
    const std::uint64_t id = board.submit("search", job(1, "wanted"));
    board.agent("other", 1, 1, "other");
    board.say("other", wire::Heartbeat{id, {id}});
    board.finish("other", id, 0.001);
    EXPECT_FALSE(store.result(id));
    board.agent("right", 1, 1, "wanted");
    EXPECT_EQ(board.received<wire::Job>("right"), Ids{id}) << "still in the queue";
}

TEST_F(JobBoardTest, AnEarlierHolderThatComesBackMayAnswerAndTheFirstAnswerWins) {
    board.client("search");
    board.agent("first", 7);
    const std::uint64_t id = board.submit("search", job(1));
    board.vanish("first");
    board.agent("second");
    EXPECT_EQ(board.received<wire::Job>("second"), Ids{id});
    board.agent("first", 7);
    board.finish("first", id, 1);
    board.finish("second", id, 2);
    EXPECT_DOUBLE_EQ(store.result(id)->metrics.at("latency_ms"), 1);
    EXPECT_EQ(board.received<wire::ResultAck>("second"), Ids{id});
    EXPECT_EQ(board.status().at("refused_answers"), 0);
}

TEST_F(JobBoardTest, ASecondDeviceOfANameIsRefusedAndTheFirstGoesOn) {
    board.client("search");
    board.agent("device", 1, 1, "c", "s1");
    const std::uint64_t id = board.submit("search", job(1));
    board.say("s1", wire::Started{}, id);
    for (int knock = 0; knock < 5; ++knock) {
        board.agent("device", 2, 1, "c", "s2");
        EXPECT_EQ(board.received<wire::Refused>("s2").size(), 1u);
        board.pass(1);
        board.say("s1", wire::Heartbeat{id, {id}});
        board.say("search", wire::Heartbeat{});
    }
    EXPECT_TRUE(board.received<wire::Welcome>("s2").empty());
    board.finish("s1", id, 5);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    const std::string errors = board.status().at("last_errors").dump();
    EXPECT_NE(errors.find("second device called 'device'"), std::string::npos) << errors;
    EXPECT_EQ(board.status().at("last_errors").size(), 1u) << "said once";
}

TEST_F(JobBoardTest, ARestartedDeviceGetsInWhenItsEarlierSessionIsDead) {
    board.agent("device", 1, 1, "c", "s1");
    board.agent("device", 2, 1, "c", "s2");
    EXPECT_TRUE(board.received<wire::Welcome>("s2").empty());
    EXPECT_FALSE(board.received<wire::Heartbeat>("s1").empty()) << "shows whether it is there";
    board.vanish("s1");
    board.agent("device", 2, 1, "c", "s2");
    EXPECT_EQ(board.received<wire::Welcome>("s2").size(), 1u);
    for (int second = 0; second < 6; ++second) board.pass(1);  // silent, its connection open
    board.agent("device", 3, 1, "c", "s3");
    EXPECT_EQ(board.received<wire::Welcome>("s3").size(), 1u);
}

TEST_F(JobBoardTest, TwoSearchesOfOneNameGetEachItsOwnAnswers) {
    board.say("s1", wire::Hello{wire::Role::client, "host:run", 1, "", ""});
    board.say("s2", wire::Hello{wire::Role::client, "host:run", 2, "", ""});
    const std::uint64_t first = board.submit("s1", job(1)), second = board.submit("s2", job(2));
    const std::uint64_t both = board.submit("s1", job(3));
    board.submit("s2", job(3));
    board.agent("device", 1, 3);
    for (const std::uint64_t id : {first, second, both}) board.finish("device", id);
    EXPECT_EQ(board.received<wire::Result>("s1"), (Ids{first, both}));
    EXPECT_EQ(board.received<wire::Result>("s2"), (Ids{second, both}));
    EXPECT_EQ(board.status().at("clients").size(), 2u);
}

TEST_F(JobBoardTest, AReconnectedSearchGetsItsAnswers) {
    board.say("s1", wire::Hello{wire::Role::client, "host:run", 1, "", ""});
    const std::uint64_t id = board.submit("s1", job(1));
    board.say("s2", wire::Hello{wire::Role::client, "host:run", 1, "", ""});
    board.vanish("s1");
    board.agent("device");
    board.finish("device", id);
    EXPECT_EQ(board.received<wire::Result>("s2"), Ids{id});
}

TEST_F(JobBoardTest, JobsThatNobodyCanMeasureAreShownAndDropped) {
    board.client("search");
    board.client("other search");
    board.agent("device", 1, 1, "there");
    const std::uint64_t id = board.submit("search", job(1, "nowhere"));
    board.submit("other search", job(2, "nowhere"));
    const std::uint64_t running = board.submit("search", job(3, "there"));
    const Json waiting = board.status().at("waiting");
    ASSERT_EQ(waiting.size(), 1u);
    EXPECT_EQ(waiting[0].at("class"), "nowhere");
    EXPECT_EQ(waiting[0].at("jobs"), 2);
    EXPECT_EQ(waiting[0].at("devices"), 0);
    EXPECT_EQ(waiting[0].at("searches").size(), 2u);

    board.client("operator");
    board.say("operator", wire::Drop{"nowhere", "search"});
    EXPECT_EQ(board.received<wire::Dropped>("operator").size(), 1u);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{id});
    EXPECT_FALSE(store.result(id)) << "whoever asks again starts anew";
    EXPECT_EQ(board.status().at("open_jobs"), 2);
    board.say("operator", wire::Drop{}, running);
    EXPECT_EQ(board.received<wire::Result>("search"), Ids{running});
    board.finish("device", running);
    EXPECT_EQ(board.received<wire::ResultAck>("device"), Ids{running});
    EXPECT_EQ(board.status().at("open_jobs"), 1);
}

TEST_F(JobBoardTest, AJobOfAnyClassThatNobodyWaitsForIsDroppedByItsShownNumber) {
    board.client("search");
    const std::uint64_t id = board.submit("search", job(1));
    board.say("search", wire::Shutdown{});
    const Json waiting = board.status().at("waiting");
    ASSERT_EQ(waiting.size(), 1u);
    EXPECT_EQ(waiting[0].at("ids"), Json({fmt::format("{:016x}", id)}));
    board.client("operator");
    board.say("operator", wire::Drop{}, id);
    EXPECT_EQ(board.status().at("open_jobs"), 0);
    EXPECT_EQ(board.status().at("last_errors").back(), "'operator' dropped 1 job");
}

TEST_F(JobBoardTest, ADeviceDropsNothing) {
    board.client("search");
    board.submit("search", job(1, "nowhere"));
    board.agent("device");
    board.say("device", wire::Drop{"nowhere", ""});
    EXPECT_EQ(board.status().at("open_jobs"), 1);
}

TEST_F(JobBoardTest, NamesWithControlCharactersAreRefused) {
    board.say("s", wire::Hello{wire::Role::client, "two\nlines", 1, "", ""});
    EXPECT_EQ(board.received<wire::Refused>("s").size(), 1u);
    EXPECT_TRUE(board.received<wire::Welcome>("s").empty());
}

/// The status as an observer gets it, or nothing. Throws when it cannot be sent.
Json status_over_the_wire(JobBoard& board) {
    (void)board.take_outgoing();
    board.receive("observer", {wire::StatusRequest{}, 0}, 1);
    for (const auto& sent : board.take_outgoing())
        if (std::holds_alternative<wire::StatusReply>(sent.packet.message)) {
            const auto packet = wire::decode(wire::encode(sent.packet), "broker");
            return Json::parse(std::get<wire::StatusReply>(packet.message).json);
        }
    return {};
}

TEST(JobBoardLimits, NoNameOfAPeerMakesTheStatusTooLongToSend) {
    MemoryJobStore store;
    JobBoard board({}, store, 1, 0);
    for (int i = 0; i < 250; ++i)
        board.receive("s" + std::to_string(i),
                      {wire::Hello{wire::Role::agent, std::string(250, '"') + std::to_string(i), 1,
                                   std::string(256, '\\'), "{}"},
                       0},
                      0);
    const Json status = status_over_the_wire(board);
    EXPECT_EQ(status.at("devices").size(), 250u) << "shortened rather than left out";
    EXPECT_TRUE(status.at("shortened"));
    EXPECT_FALSE(status.contains("left_out"));
}

TEST(JobBoardLimits, ClassesAndNamesOfManySearchesFitIntoTheStatus) {
    MemoryJobStore store;
    JobBoard board({}, store, 1, 0);
    for (int i = 0; i < 250; ++i) {
        const std::string session = "s" + std::to_string(i);
        board.receive(
            session,
            {wire::Hello{wire::Role::client, session + std::string(250, '"'), 1, "", ""}, 0}, 0);
        const MeasurementJob wanted = job(i, std::string(250, '\\') + std::to_string(i));
        board.receive(session, {wire::Submit{wanted, 0}, request_id(wanted)}, 0);
    }
    const Json status = status_over_the_wire(board);
    EXPECT_EQ(status.at("clients").size(), 250u);
    EXPECT_EQ(status.at("waiting").size(), 64u);
    EXPECT_FALSE(status.contains("left_out"));
}

TEST(JobBoardLimits, AReasonThatIsCutWithinACharacterCanBeSent) {
    MemoryJobStore store;
    JobBoard board({}, store, 1, 0);
    board.receive("c", {wire::Hello{wire::Role::client, "c", 1, "", ""}, 0}, 0);
    board.receive("d", {wire::Hello{wire::Role::agent, "d", 1, "", "{}"}, 0}, 0);
    board.receive("d", {wire::Ready{16}, 0}, 0);
    for (int shift = 0; shift < 2; ++shift) {
        board.receive("c", {wire::Submit{job(shift), 0}, request_id(job(shift))}, 0);
        MeasurementResult failed;
        failed.status = Status::failed;
        failed.reason = std::string(static_cast<std::size_t>(shift), 'x');
        while (failed.reason.size() < 1000) failed.reason += "\u00e4";
        board.receive("d", {wire::Result{failed}, request_id(job(shift))}, 0);
    }
    EXPECT_EQ(status_over_the_wire(board).at("last_errors").size(), 2u);
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
    EXPECT_EQ(count(wire::Busy{}), 3u) << "a search may have as many as are left for others";
    board.receive("b", {wire::Submit{job(9), 0}, request_id(job(9))}, 0);
    EXPECT_EQ(count(wire::Accepted{}), 1u);
}

}  // namespace
}  // namespace edgeloop::job_board_test
