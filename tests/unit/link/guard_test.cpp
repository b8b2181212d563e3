// What one peer may take, and that it cannot take what is others': the board's rules among keys.
#include "support/board.hpp"
#include "support/checked_store.hpp"
#include "support/places.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/link/bridge_store.hpp"
#include "edgeloop/link/limits.hpp"
#include "edgeloop/link/shares.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgeloop::guard_test {
namespace {

using test::Board;
using test::job;
using Ids = std::vector<std::uint64_t>;

constexpr double hour_s = 3600, day_s = 24 * hour_s;

/// "20 000" as the README writes it.
std::string grouped(double number) {
    std::string text = std::to_string(std::llround(number));
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), " ");
    return text;
}
std::string in_mib(double bytes) { return grouped(bytes / limits::mib) + " MiB"; }
std::string in_kib(double bytes) { return grouped(bytes / 1024) + " KiB"; }
std::string of_rate(const Rate& rate) {
    return grouped(rate.at_once) + ", then " + grouped(rate.per_s) + " a second";
}

/// What, and at most how much, of the table of limits, as the code has them.
std::vector<std::string> limits_of_the_code() {
    using namespace limits;
    const BoardOptions board;
    const BridgeStoreOptions kept;
    const std::string counts = in_kib(bytes_that_count);
    return {"jobs that are open | `--max-queued` " + grouped(board.max_queued),
            "their bytes: text, " + in_kib(job_bytes) + " for each, " + grouped(wait_bytes) +
                " for each search that waits | `--max-queued-mib` " +
                grouped(board.max_queued_bytes / mib),
            "sessions | `--max-sessions` " + grouped(board.max_sessions),
            "records of devices that are here | " + in_mib(board.max_record_bytes),
            "a file that a job is about; its bytes are among those of open jobs, also while it "
            "comes | `--max-model-mib` " +
                grouped(board.max_model_bytes / mib),
            "bytes of files that devices of a key are sent | " + in_mib(pieces.at_once) +
                ", then " + in_mib(pieces.per_s) + " a second",
            "Hellos of a key, each " + counts + " of its record counting as one more | " +
                of_rate(hellos),
            "submits of a key, each " + counts + " of a stored record counting as one more | " +
                of_rate(submits),
            "questions of a key (status, drop) | " + of_rate(questions),
            "messages of a key | " + of_rate(messages) + "; " + in_mib(message_bytes.at_once) +
                ", then " + in_mib(message_bytes.per_s) + " a second",
            "a message | " + in_kib(wire::max_message_bytes) + ", one frame",
            "what a connection has sent that is no whole message yet | " +
                in_mib(unfinished_bytes) + "; " + in_mib(all_unfinished_bytes) + " of all",
            "connections of a key | half of the sessions and " + grouped(spare_connections),
            "silence of a connection | " +
                grouped(std::max(least_silence_s, silence_factor * board.quiet_dead_s)) + " s",
            "messages that cannot be decoded | " + grouped(undecodable.at_once) +
                " of a session, then one in " + grouped(1 / undecodable.per_s) + " s",
            "unread messages of a connection, unsent ones | " + grouped(unread_messages) + ", " +
                grouped(unsent_messages) + " and " + in_mib(unsent_bytes) + "; " +
                in_mib(all_unsent_bytes) + " of all | it waits; it ends after " +
                grouped(standstill_s) + " s",
            "results | `--max-results` " + grouped(kept.max_results) + ", `--max-result-mib` " +
                grouped(kept.max_result_bytes / mib) + "; each is on disk twice",
            "resident memory | `--max-memory` " + grouped(resident_mib) + " MiB"};
}

TEST(Limits, AreThoseOfTheReadme) {
    std::istringstream text(read_file(test::in_source("src/link/README.md")));
    std::vector<std::string> rows;
    bool inside = false;
    for (std::string line; std::getline(text, line);) {
        inside = (inside || line == "| what | at most | beyond it |") && line.rfind('|', 0) == 0;
        if (inside) rows.push_back(line.substr(2));
    }
    const std::vector<std::string> wanted = limits_of_the_code();
    ASSERT_EQ(rows.size(), wanted.size() + 2) << "with the head of the table";
    for (std::size_t i = 0; i < wanted.size(); ++i)
        EXPECT_EQ(rows[i + 2].substr(0, wanted[i].size() + 2), wanted[i] + " |");
}

TEST(Share, OneGetsHalfTwoGetAThirdAndThereIsAlwaysSomeForAnother) {
    Share share(1000);
    const auto fill = [&](const std::string& who) {
        std::uint64_t taken = 0;
        for (; share.may_take(who); ++taken) share.take(who);
        return taken;
    };
    EXPECT_EQ(fill("a"), 500u);
    EXPECT_EQ(fill("b"), 250u);
    EXPECT_EQ(fill("c"), 125u);
    share.give_back("a", 400);
    EXPECT_EQ(fill("c"), 200u) << "now c has as much as is left";
    EXPECT_EQ(share.used(), 675u);
    for (const char* name : {"a", "b", "c"}) share.give_back(name, share.parts().at(name));
    EXPECT_EQ(share.used(), 0u);
    EXPECT_TRUE(share.parts().empty());
}

TEST(Share, WhatIsLargerThanAllThatIsLeftIsNotTaken) {
    Share share(100);
    EXPECT_FALSE(share.may_take("a", 101));
    EXPECT_TRUE(share.may_take("a", 100));
    share.take("a", 90);
    EXPECT_FALSE(share.may_take("b", 11));
    EXPECT_TRUE(share.may_take("b", 10));
    EXPECT_THROW(share.give_back("b"), LogicError);
    EXPECT_THROW(share.give_back("a", 91), LogicError);
}

TEST(Budgets, AreOfEachPeerAndComeBackWithTime) {
    Budgets budgets({3, 2});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(budgets.spend("a", 1, 10));
    EXPECT_FALSE(budgets.spend("a", 1, 10));
    EXPECT_TRUE(budgets.spend("b", 3, 10));
    EXPECT_FALSE(budgets.spend("a", 1, 10.4));
    EXPECT_TRUE(budgets.spend("a", 1, 10.9));
    EXPECT_TRUE(budgets.spend("a", 3, 100));
    EXPECT_FALSE(budgets.spend("a", 1, 100)) << "no more than at first";
}

TEST(Budgets, OfNamesWithoutEndAreForgotten) {
    Budgets budgets({1, 1});
    for (int i = 0; i < 20'500; ++i) {
        const double now = i * 1e-3;
        EXPECT_TRUE(budgets.spend(std::to_string(i), 1, now));
        (void)budgets.spend("one", 1, now);
    }
    EXPECT_FALSE(budgets.spend("one", 1, 20.5)) << "is not forgotten while it spends";
}

class GuardTest : public testing::Test {
  protected:
    static BoardOptions small() {
        BoardOptions options;
        options.max_queued = 100;
        options.max_sessions = 16;
        return options;
    }
    /// A search of this key under a name of its own.
    void search(const std::string& session, const std::string& key) {
        board.show_key(session, key);
        board.client(session);
    }
    void device(const std::string& session, const std::string& key, std::uint32_t credit = 1,
                const std::string& device_class = "c") {
        board.show_key(session, key);
        board.agent(session, 1, credit, device_class);
    }

    test::CheckedStore store;
    Board board{store, small()};
};

TEST_F(GuardTest, ManySearchesOfOneKeyHaveOneShareAndOneTurn) {
    for (const char* session : {"h1", "h2", "h3"}) search(session, "hostile");
    search("a", "honest");
    int n = 0;
    for (int i = 0; i < 60; ++i)
        for (const char* session : {"h1", "h2", "h3"}) board.submit(session, job(++n), 1000);
    EXPECT_EQ(board.status().at("open_jobs"), 50) << "half of the queue";
    EXPECT_EQ(board.received<wire::Busy>("h1").size() + board.received<wire::Busy>("h2").size() +
                  board.received<wire::Busy>("h3").size(),
              130u);
    Ids mine;
    for (int i = 0; i < 5; ++i) mine.push_back(board.submit("a", job(++n)));
    EXPECT_TRUE(board.received<wire::Busy>("a").empty());
    device("d", "device");
    for (int turn = 0; turn < 10; ++turn) {
        const Ids got = board.received<wire::Job>("d");
        ASSERT_EQ(got.size(), 1u);
        EXPECT_EQ(std::count(mine.begin(), mine.end(), got[0]), turn % 2) << turn;
        board.finish("d", got[0]);
    }
    EXPECT_EQ(board.received<wire::Result>("a").size(), 5u);
}

TEST_F(GuardTest, WhatIsAnsweredIsNoLongerPartOfAShare) {
    search("a", "honest");
    device("d", "device", 16);
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 20; ++i) board.submit("a", job(100 * round + i));
        EXPECT_TRUE(board.received<wire::Busy>("a").empty()) << round;
        while (true) {
            const Ids got = board.received<wire::Job>("d");
            if (got.empty()) break;
            for (const std::uint64_t id : got) board.finish("d", id);
        }
    }
    EXPECT_EQ(board.status().at("open_jobs"), 0);
    EXPECT_EQ(board.status().at("open_bytes"), 0);
    EXPECT_TRUE(board.status().at("shares").empty());
}

TEST_F(GuardTest, SharesAreOfBytesToo) {
    BoardOptions options;
    options.max_queued_bytes = 1 << 20;
    Board narrow(store, options);
    narrow.show_key("h", "hostile");
    narrow.client("h");
    narrow.show_key("a", "honest");
    narrow.client("a");
    const auto large = [](int number) {
        MeasurementJob made = job(number);
        made.spec += std::string(60'000, ' ');
        return made;
    };
    for (int i = 0; i < 100; ++i) narrow.submit("h", large(i));
    EXPECT_LE(narrow.status().at("open_bytes"), (1 << 19) + 70'000);
    EXPECT_GT(narrow.received<wire::Busy>("h").size(), 80u);
    narrow.submit("a", large(1000));
    EXPECT_TRUE(narrow.received<wire::Busy>("a").empty());
}

TEST_F(GuardTest, WaitingForTheSameJobManyTimesIsPartOfTheShare) {
    BoardOptions options;
    options.max_queued_bytes = 10'000;
    Board narrow(store, options);
    const MeasurementJob wanted = job(1);
    std::size_t told_to_wait = 0;
    for (int i = 0; i < 60; ++i) {
        const std::string session = "h" + std::to_string(i);
        narrow.show_key(session, "hostile");
        narrow.client(session);
        narrow.submit(session, wanted);
        told_to_wait += narrow.received<wire::Busy>(session).size();
    }
    EXPECT_GT(told_to_wait, 30u);
    EXPECT_LE(narrow.status().at("open_bytes"), 5'000 + 2'000);
}

TEST_F(GuardTest, AShareIsKeptOverARestart) {
    search("h", "hostile");
    for (int i = 0; i < 80; ++i) board.submit("h", job(i, "nobody has this"));
    EXPECT_EQ(store.open.size(), 50u);
    Board again(store, small());
    again.show_key("h", "hostile");
    again.client("h");
    again.submit("h", job(1000, "nobody has this"));
    EXPECT_EQ(again.received<wire::Busy>("h").size(), 1u);
    again.show_key("a", "honest");
    again.client("a");
    for (int i = 0; i < 20; ++i) again.submit("a", job(2000 + i));
    EXPECT_TRUE(again.received<wire::Busy>("a").empty());
}

TEST_F(GuardTest, JobsOfAnEarlierReleaseBlockNobody) {
    for (int i = 0; i < 100; ++i) {
        const MeasurementJob old = job(i, "nobody has this");
        store.open[request_id(old)] = {request_id(old), old, 0, 0, {}};  // nobody knows whose
    }
    Board again(store, small());
    again.show_key("a", "honest");
    again.client("a");
    again.agent("d", 1, 5);
    Ids mine;
    for (int i = 0; i < 5; ++i) mine.push_back(again.submit("a", job(2000 + i)));
    EXPECT_EQ(again.received<wire::Job>("d"), mine);
    const std::uint64_t claimed = again.submit("a", job(1, "nobody has this"));
    EXPECT_EQ(again.received<wire::Accepted>("a").back(), claimed);
    EXPECT_EQ(again.status().at("shares").at(0).at("jobs"), 6);
}

TEST_F(GuardTest, NobodyCancelsOrDropsTheJobsOfOthers) {
    search("a", "honest");
    search("h", "hostile");
    const std::uint64_t id = board.submit("a", job(1, "later"));
    const std::uint64_t left = board.submit("a", job(2, "later"));
    board.submit("h", job(2, "later"));
    board.say("h", wire::Cancel{}, id);
    board.say("h", wire::Drop{}, id);
    board.say("h", wire::Drop{"later", ""});
    board.say("h", wire::Drop{"", "a"});
    EXPECT_EQ(board.status().at("open_jobs"), 2);
    board.vanish("a");  // and nobody waits for them but the other
    board.say("h", wire::Cancel{}, id);
    board.say("h", wire::Cancel{}, left);
    board.say("h", wire::Drop{});
    EXPECT_EQ(board.status().at("open_jobs"), 2);
    EXPECT_NE(board.status().at("last_errors").dump().find("may not drop"), std::string::npos);
    board.submit("h", job(3, "later"));
    board.say("h", wire::Drop{"later", ""});
    EXPECT_EQ(board.last<wire::Dropped>("h").jobs, 1u) << "its own";

    board.show_key("o", "operator", true);
    board.client("o");
    board.say("o", wire::Drop{"later", ""});
    EXPECT_EQ(board.last<wire::Dropped>("o").jobs, 2u);
    EXPECT_EQ(board.status().at("open_jobs"), 0);
    EXPECT_EQ(board.status().at("open_bytes"), 0);
}

TEST_F(GuardTest, WhoIsNoOperatorAnyMoreDropsNoJobsOfOthersOverAnOpenSession) {
    search("a", "honest");
    board.submit("a", job(1, "later"));
    board.show_key("o", "operator", true);
    board.client("o");
    board.show_key("o", "operator", false);
    board.say("o", wire::Drop{"later", ""});
    EXPECT_EQ(board.last<wire::Dropped>("o").jobs, 0u);
    EXPECT_EQ(board.status().at("open_jobs"), 1);
}

TEST_F(GuardTest, ASearchTakesBackItsOwnJobsAfterAReconnection) {
    search("a", "honest");
    const std::uint64_t id = board.submit("a", job(1, "later"));
    board.vanish("a");
    search("a2", "honest");
    board.say("a2", wire::Cancel{}, id);
    EXPECT_EQ(board.status().at("open_jobs"), 0);
}

TEST_F(GuardTest, ANameOfADeviceBelongsToTheKeyThatHasItOrHadItWithinADay) {
    search("a", "honest");
    board.show_key("s1", "device");
    board.agent("d", 7, 1, "c", "s1");
    const std::uint64_t id = board.submit("a", job(1));
    board.show_key("s2", "hostile");
    board.agent("d", 7, 1, "c", "s2");  // even with the same number of a process
    EXPECT_EQ(board.received<wire::Refused>("s2").size(), 1u);
    board.finish("s2", id, 0.001);
    board.vanish("s1");
    board.now += 23 * hour_s;
    board.agent("d", 7, 1, "c", "s2");
    EXPECT_EQ(board.received<wire::Refused>("s2").size(), 1u);
    EXPECT_FALSE(store.result(id));
    board.show_key("s3", "device");
    board.agent("d", 8, 1, "c", "s3");
    board.finish("s3", id, 5);
    EXPECT_DOUBLE_EQ(store.result(id)->metrics.at("latency_ms"), 5);
}

TEST_F(GuardTest, ADeviceThatTakesAFreeNameDoesNotAnswerForTheOneThatHadIt) {
    search("a", "honest");
    board.show_key("s1", "device");
    board.agent("d", 7, 1, "c", "s1");
    const std::uint64_t id = board.submit("a", job(1));
    board.vanish("s1");
    board.now += 25 * hour_s;
    board.show_key("s2", "hostile");
    board.agent("d", 7, 0, "c", "s2");
    EXPECT_EQ(board.received<wire::Welcome>("s2").size(), 1u);
    board.say("s2", wire::Heartbeat{id, {id}});
    board.finish("s2", id, 0.001);
    EXPECT_FALSE(store.result(id));
    EXPECT_EQ(board.status().at("refused_answers"), 1);
}

TEST_F(GuardTest, ANameIsFreeWhenItsKeyIsListedNoMore) {
    board.show_key("s1", "stolen");
    board.agent("d", 7, 1, "c", "s1");
    board.vanish("s1");
    board.show_key("s2", "new");
    board.agent("d", 8, 1, "c", "s2");
    EXPECT_EQ(board.received<wire::Refused>("s2").size(), 1u);
    board.unlist("stolen");
    board.agent("d", 8, 1, "c", "s2");
    EXPECT_EQ(board.received<wire::Welcome>("s2").size(), 1u);
}

TEST_F(GuardTest, AClientOfTheSameNameAndNumberIsAnotherWithAnotherKey) {
    board.show_key("a", "honest");
    board.client("search", "a", 7);
    const std::uint64_t id = board.submit("a", job(1));
    board.show_key("h", "hostile");
    board.client("search", "h", 7);
    EXPECT_TRUE(board.knows("a"));
    board.say("h", wire::Shutdown{});
    device("d", "device");
    board.finish("d", id);
    EXPECT_EQ(board.received<wire::Result>("a"), Ids{id});
    EXPECT_TRUE(board.received<wire::Result>("h").empty());
}

TEST_F(GuardTest, AConnectionThatTakesTheNameOfAnotherOneIsAStranger) {
    search("x", "honest");
    const std::uint64_t id = board.submit("x", job(1));
    board.show_key("x", "hostile");
    board.say("x", wire::Cancel{}, id);
    EXPECT_EQ(board.received<wire::UnknownSession>("x").size(), 1u);
    EXPECT_EQ(board.status().at("open_jobs"), 1);
    EXPECT_EQ(board.status().at("sessions"), 0);
}

TEST_F(GuardTest, OneKeyDoesNotTakeAllSessions) {
    for (int i = 0; i < 40; ++i) search("h" + std::to_string(i), "hostile");
    EXPECT_EQ(board.status().at("sessions"), 8);
    search("a", "honest");
    device("d", "device");
    const std::uint64_t id = board.submit("a", job(1));
    board.finish("d", id);
    EXPECT_EQ(board.received<wire::Result>("a"), Ids{id});
    for (int i = 0; i < 40; ++i) board.vanish("h" + std::to_string(i));
    EXPECT_EQ(board.status().at("sessions"), 2);
}

TEST_F(GuardTest, ManyHellosWithLargeRecordsAreRefusedAndReachNoSearch) {
    search("a", "honest");
    const std::string record = "\"" + std::string(60'000, 'x') + "\"";
    std::size_t welcomes = 0, refusals = 0;
    for (int i = 0; i < 3000; ++i) {
        const std::string session = "h" + std::to_string(i % 5);
        board.show_key(session, "hostile");
        board.agent(session, static_cast<std::uint64_t>(i), 0, "c", session, record);
        welcomes += board.received<wire::Welcome>(session).size();
        refusals += board.received<wire::Refused>(session).size();
        board.now += 1e-3;
    }
    EXPECT_LT(welcomes, 20u);
    EXPECT_EQ(welcomes + refusals, 3000u);
    EXPECT_EQ(board.received<wire::DeviceInfo>("a").size(), welcomes);
    EXPECT_TRUE(board.knows("a"));
    device("d", "device");
    EXPECT_EQ(board.received<wire::Welcome>("d").size(), 1u) << "others get in";
    board.now += 60;
    board.agent("h0", 9999, 0, "c", "h0", record);
    EXPECT_EQ(board.received<wire::Welcome>("h0").size(), 1u) << "and this one later";
}

TEST_F(GuardTest, RecordsHaveAShare) {
    BoardOptions options;
    options.max_record_bytes = 100'000;
    Board narrow(store, options);
    const std::string record(30'000, ' ');
    for (int i = 0; i < 4; ++i) {
        const std::string session = "h" + std::to_string(i);
        narrow.show_key(session, "hostile");
        narrow.agent(session, 1, 1, "c", session, record);
        EXPECT_EQ(narrow.received<wire::Welcome>(session).size(), i < 2 ? 1u : 0u) << i;
    }
    narrow.show_key("d", "device");
    narrow.agent("d", 1, 1, "c", "d", record);
    EXPECT_EQ(narrow.received<wire::Welcome>("d").size(), 1u);
    narrow.vanish("h0");
    narrow.agent("h3", 1, 1, "c", "h3", record);
    EXPECT_EQ(narrow.received<wire::Welcome>("h3").size(), 1u);
    narrow.agent("h3", 1, 1, "c", "h3", record);
    EXPECT_EQ(narrow.received<wire::Welcome>("h3").size(), 1u) << "it has it already";
}

TEST_F(GuardTest, ADeviceThatComesBackWithTooLargeARecordLeavesTheOthersAtWork) {
    BoardOptions options;
    options.max_record_bytes = 10'000;
    Board narrow(store, options);
    narrow.client("a");
    narrow.agent("d", 7, 1, "c", "s1");
    narrow.agent("d", 7, 1, "c", "s2", std::string(20'000, ' '));
    EXPECT_EQ(narrow.received<wire::Refused>("s2").size(), 1u);
    narrow.agent("e");
    const std::uint64_t id = narrow.submit("a", job(1));
    narrow.vanish("s2");
    EXPECT_EQ(narrow.received<wire::Job>("e"), Ids{id});
    EXPECT_EQ(narrow.status().at("devices").size(), 1u);
}

TEST_F(GuardTest, AHelloWithoutANumberGivesNoLossBack) {
    search("a", "honest");
    const std::uint64_t id = board.submit("a", job(1));
    for (int i = 0; i < 3; ++i) {
        device("d", "device");
        board.say("d", wire::Started{}, id);
        board.vanish("d");
        board.show_key("h", "hostile");
        board.agent("h", 0, 0);  // as the number of a process that never vanished
        board.vanish("h");
        board.agent("h", 1, 0);  // or by chance the same
        board.vanish("h");
        // The device itself is the same process each time, and its return takes its loss back.
        EXPECT_EQ(store.open.at(id).losses, 1) << i;
    }
}

TEST_F(GuardTest, JobsThatNobodyTakesExpire) {
    search("a", "honest");
    device("d", "device", 1, "here");
    const std::uint64_t missing = board.submit("a", job(1, "away"));
    for (int hour = 0; hour < 6 * 24; ++hour) {
        board.now += hour_s;
        board.pass_with(1, {"a", "d"});
        search("a", "honest");
        device("d", "device", 1, "here");
        board.submit("a", job(1, "away"));
    }
    EXPECT_EQ(board.status().at("open_jobs"), 1) << "it was here six days ago";
    for (int hour = 0; hour < 25; ++hour) {
        board.now += hour_s;
        search("a", "honest");
        board.submit("a", job(1, "away"));
        board.pass(1);
    }
    const Ids answered = board.received<wire::Result>("a");
    EXPECT_EQ(std::count(answered.begin(), answered.end(), missing), 1);
    EXPECT_NE(board.status().at("last_errors").dump().find("no device of class 'away'"),
              std::string::npos);
}

TEST_F(GuardTest, JobsThatNobodyWaitsForExpireAndThoseOfADeviceThatIsHereDoNot) {
    BoardOptions options;
    options.expire_s = 100;
    Board quick(store, options);
    quick.client("a");
    quick.client("b");
    quick.agent("d", 1, 0, "here");
    quick.submit("a", job(1, "here"));
    const std::uint64_t wanted = quick.submit("b", job(2, "here"));
    quick.vanish("a");
    for (int second = 0; second < 150; ++second) quick.pass_with(1, {"b", "d"});
    EXPECT_EQ(quick.status().at("open_jobs"), 1);
    EXPECT_EQ(store.open.count(wanted), 1u);
}

TEST_F(GuardTest, AfterARestartOldJobsGetSomeTimeForADeviceToComeBack) {
    const MeasurementJob old = job(1, "c");
    OpenJob open{request_id(old), old, 0, 0, {}};
    open.owner = "honest";
    open.age_s = 100 * day_s;
    store.open[open.id] = open;
    Board again(store, small());
    again.pass(1800);
    EXPECT_EQ(again.status().at("open_jobs"), 1);
    Board patient(store, small());
    patient.pass(10);
    patient.agent("d", 1, 1, "c");
    EXPECT_EQ(patient.received<wire::Job>("d"), Ids{open.id});
    again.pass(1900);
    EXPECT_EQ(again.status().at("open_jobs"), 0);
}

TEST_F(GuardTest, AStoreInTroubleTakesNoNewJobsAndGoesOnWithThoseItHas) {
    search("a", "honest");
    device("d", "device");
    const std::uint64_t id = board.submit("a", job(1));
    store.why = "the disk is full";
    board.submit("a", job(2));
    EXPECT_EQ(board.received<wire::Busy>("a").size(), 1u);
    board.pass_with(1, {"a", "d"});
    EXPECT_EQ(board.status().at("trouble"), "the disk is full");
    EXPECT_EQ(board.status().at("last_errors").at(0), "the disk is full");
    board.finish("d", id);
    EXPECT_EQ(board.received<wire::Result>("a"), Ids{id});
    store.why.clear();
    board.submit("a", job(2));
    EXPECT_EQ(board.received<wire::Job>("d").size(), 2u);
}

TEST_F(GuardTest, AResultForWhichThereIsNoRoomStaysWithItsDevice) {
    search("a", "honest");
    device("d", "device");
    const std::uint64_t id = board.submit("a", job(1));
    board.submit("a", job(2));
    store.room = false;
    board.finish("d", id);
    EXPECT_TRUE(board.received<wire::ResultAck>("d").empty());
    EXPECT_EQ(board.received<wire::Job>("d").size(), 1u);
    store.room = true;
    board.finish("d", id);
    EXPECT_EQ(board.received<wire::ResultAck>("d"), Ids{id});
    EXPECT_EQ(board.received<wire::Result>("a"), Ids{id});
    EXPECT_EQ(board.received<wire::Job>("d").size(), 1u);
}

TEST_F(GuardTest, ADeviceThatSitsOnAJobLosesItToAnother) {
    search("a", "honest");
    board.show_key("h", "hostile");
    board.agent("h");
    const std::uint64_t id = board.submit("a", job(1));
    for (int minute = 0; minute < 130; ++minute) {
        board.now += 57;
        search("a", "honest");
        board.submit("a", job(1));
        board.agent("h");
        if (minute > 100) device("d", "device");
        board.say("h", wire::Heartbeat{0, {id}});
        board.pass(3);
    }
    const Ids got = board.received<wire::Job>("d");
    ASSERT_FALSE(got.empty());
    EXPECT_EQ(got[0], id);
    board.finish("d", id);
    EXPECT_EQ(board.received<wire::ResultAck>("d"), Ids{id});
    EXPECT_EQ(store.result(id)->device, "d");
}

TEST_F(GuardTest, AJobThatADeviceGivesBackGoesToAnotherFirst) {
    search("a", "honest");
    device("h", "hostile");
    const std::uint64_t id = board.submit("a", job(1));
    device("z", "device");
    MeasurementResult lost;
    lost.status = Status::lost;
    board.say("h", wire::Result{lost}, id);
    EXPECT_EQ(board.received<wire::Job>("z"), Ids{id});
}

TEST_F(GuardTest, ADeviceThatTakesNothingDoesNotKeepAJobFromTheOneThatTriedIt) {
    search("a", "honest");
    device("d", "device");
    const std::uint64_t id = board.submit("a", job(1));
    device("h", "hostile", 0);
    board.now += 60;
    MeasurementResult lost;
    lost.status = Status::lost;
    board.say("d", wire::Result{lost}, id);
    EXPECT_EQ(board.received<wire::Job>("d"), (Ids{id, id}));
}

TEST_F(GuardTest, StatusIsNotGivenAsOftenAsSomebodyLikes) {
    search("h", "hostile");
    search("a", "honest");
    for (int i = 0; i < 1000; ++i) board.say("h", wire::StatusRequest{});
    EXPECT_LT(board.received<wire::StatusReply>("h").size(), 100u);
    board.say("a", wire::StatusRequest{});
    EXPECT_EQ(board.received<wire::StatusReply>("a").size(), 1u);
}

TEST_F(GuardTest, SecondsThatADeviceClaimsLeaveTheStatusReadable) {
    search("a", "honest");
    device("d", "device");
    for (const double seconds : {-1e308, 1e308, 1e308}) {
        const std::uint64_t id = board.submit("a", job(static_cast<int>(board.now++)));
        MeasurementResult result;
        result.metrics["latency_ms"] = 1;
        result.seconds = seconds;
        board.say("d", wire::Result{result}, id);
    }
    const double busy = board.status().at("devices").at(0).at("busy_fraction");
    EXPECT_GE(busy, 0);
    EXPECT_LE(busy, 1);
}

TEST_F(GuardTest, OneWhoCausesManyComplaintsDoesNotHideThoseOfOthers) {
    search("a", "honest");
    device("d", "device");
    const std::uint64_t id = board.submit("a", job(1));
    MeasurementResult failed;
    failed.status = Status::failed;
    failed.reason = "what the operator has to see";
    board.say("d", wire::Result{failed}, id);
    for (int i = 0; i < 100; ++i) {
        const std::string session = "h" + std::to_string(i);
        board.show_key(session, "hostile");
        board.agent("d", 99, 0, "c", session);  // a name that is taken
        board.agent(session, 1, 0, "c", session);
        board.finish(session, request_id(job(i)));
    }
    EXPECT_NE(board.status().at("last_errors").dump().find("has to see"), std::string::npos);
}

}  // namespace
}  // namespace edgeloop::guard_test
