#include "edgeloop/link/bridge_store.hpp"

#include "link/journal_records.hpp"
#include "support/places.hpp"
#include "support/setting.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edgeloop::bridge_store_test {
namespace {

namespace fs = std::filesystem;

MeasurementResult measured(double latency_ms, std::size_t record_bytes = 2) {
    MeasurementResult result;
    result.metrics["latency_ms"] = latency_ms;
    result.record = std::string(record_bytes, ' ');
    return result;
}

/// As much as real records have, now and then most of a page, once more than that.
std::size_t record_bytes(std::uint64_t id) {
    if (id == 100) return 40'000;
    return id % 50 == 0 ? 12'000 : 400 + id % 7 * 100;
}

class BridgeStoreTest : public testing::Test {
  protected:
    [[nodiscard]] BridgeStoreOptions options() const {
        BridgeStoreOptions made;
        made.folder = folder.path("store");
        return made;
    }
    [[nodiscard]] std::string database() const { return folder.path("store/store.db"); }
    [[nodiscard]] std::string journal() const { return folder.path("store/journal"); }

    void put_journal(const std::string& bytes) const {
        fs::remove_all(folder.path("store"));
        fs::create_directories(folder.path("store"));
        std::ofstream(journal(), std::ios::binary) << bytes;
    }
    void put_store(const std::string& from) const {
        fs::remove_all(folder.path("store"));
        fs::copy(from, folder.path("store"));
    }
    static void flip(const std::string& path, std::uint64_t at, char bits) {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(file.get() ^ bits);
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
    }
    void execute(const char* sql) const {
        sqlite3* opened = nullptr;
        ASSERT_EQ(sqlite3_open(database().c_str(), &opened), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(opened, sql, nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(opened);
    }

    test::TemporaryFolder folder;
};

TEST_F(BridgeStoreTest, RemembersJobsResultsAndLossesOverARestart) {
    {
        BridgeStore store(options());
        store.add_job({1, {"spec 1", "{}", "c"}, 5, 0, {}});
        store.add_job({2, {"spec 2", "{}", ""}, -1, 0, {"first"}});
        store.add_job({3, {"spec 3", "{}", ""}, 0, 0, {}});
        store.add_job({4, {"spec 4", "{}", ""}, 0, 0, {}});
        store.set_losses(2, 2);
        store.give_job(2, "a device");
        store.give_job(99, "nobody knows this job");
        store.add_result(1, measured(1));
        store.add_result(1, measured(1.5));
        store.drop_job(3);
        store.commit();
        store.drop_job(4);  // not committed
    }
    BridgeStore store(options());
    const auto open = store.open_jobs();
    ASSERT_EQ(open.size(), 2u);
    EXPECT_EQ(open[0].id, 2u);
    EXPECT_EQ(open[0].job.spec, "spec 2");
    EXPECT_EQ(open[0].priority, -1);
    EXPECT_EQ(open[0].losses, 2);
    EXPECT_EQ(open[0].given, (std::vector<std::string>{"first", "a device"}));
    EXPECT_EQ(open[1].id, 4u);
    EXPECT_EQ(store.results(), 1u);
    EXPECT_DOUBLE_EQ(store.result(1)->metrics.at("latency_ms"), 1.5);
    EXPECT_FALSE(store.result(2));
}

TEST_F(BridgeStoreTest, TheOldestResultsGoFirst) {
    BridgeStoreOptions few = options();
    few.max_results = 16;
    BridgeStore store(few);
    for (std::uint64_t id = 1; id <= 40; ++id) {
        store.add_result(41 - id, measured(static_cast<double>(id)));
        store.commit();
    }
    EXPECT_EQ(store.results(), 16u);
    EXPECT_FALSE(store.result(17));
    EXPECT_TRUE(store.result(16) && store.result(1));
}

TEST_F(BridgeStoreTest, TheOldestResultsGoFirstWhenTheyAreTooLarge) {
    BridgeStoreOptions little = options();
    little.max_result_bytes = 1'000'000;
    {
        BridgeStore store(little);
        for (std::uint64_t id = 1; id <= 100; ++id) {
            store.add_result(id, measured(1, 50'000));
            store.commit();
        }
        EXPECT_LE(store.results(), 20u);
        EXPECT_GE(store.results(), 18u);
        EXPECT_FALSE(store.result(80));
        EXPECT_TRUE(store.result(84) && store.result(100));
    }
    little.max_result_bytes = 500'000;  // weighed again at the start
    BridgeStore store(little);
    store.commit();
    EXPECT_LE(store.results(), 10u);
    EXPECT_TRUE(store.result(100));
    EXPECT_LT(fs::file_size(database()), 4'000'000u);
}

TEST_F(BridgeStoreTest, WhoseAJobIsAndHowOldIsRemembered) {
    OpenJob open{1, {"spec", "{}", ""}, 5, 0, {}};
    open.owner = "a key";
    open.age_s = 1000;
    {
        BridgeStore store(options());
        store.add_job(open);
        store.commit();
        store.give_job(1, "device\nkey");
        store.set_losses(1, 2);
        store.commit();
    }
    BridgeStore store(options());
    const auto jobs = store.open_jobs();
    ASSERT_EQ(jobs.size(), 1u);
    EXPECT_EQ(jobs[0].owner, "a key");
    EXPECT_GE(jobs[0].age_s, 999);
    EXPECT_LT(jobs[0].age_s, 2000);
    EXPECT_EQ(jobs[0].given, std::vector<std::string>{"device\nkey"});
    EXPECT_EQ(jobs[0].losses, 2);
    EXPECT_EQ(jobs[0].priority, 5);
}

TEST_F(BridgeStoreTest, WhatHappensToAJobTimeAndAgainDoesNotMakeItGrow) {
    {
        BridgeStore store(options());
        store.add_job({1, {"spec", "{}", ""}, 0, 0, {}});
        for (int i = 0; i < 10'000; ++i) {
            store.set_losses(1, i % 2);
            if (i % 10 == 0) store.give_job(1, "device " + std::to_string(i));
            if (i % 1000 == 0) store.commit();
        }
        store.commit();
    }
    EXPECT_LT(fs::file_size(database()), 300'000u);
    BridgeStore store(options());
    ASSERT_EQ(store.open_jobs().size(), 1u);
    EXPECT_EQ(store.open_jobs()[0].given.back(), "device 9990");
    EXPECT_LE(store.open_jobs()[0].given.size(), 8u);
}

/// From now on no file of this process may grow, as on a full disk, or any may again.
void fill_disk(bool full) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit size{};
    ::getrlimit(RLIMIT_FSIZE, &size);
    size.rlim_cur = full ? 0 : size.rlim_max;
    ::setrlimit(RLIMIT_FSIZE, &size);
}

/// In a process of its own, with a store that has job 1. @return what went wrong.
std::string use_on_a_full_disk(const BridgeStoreOptions& options) {
    fill_disk(true);
    BridgeStore store(options);
    if (store.open_jobs().size() != 1) return "its jobs are not there";
    if (store.trouble().empty()) return "it does not say that it cannot be written to";
    store.add_result(1, measured(5));
    store.add_job({2, {"spec", "{}", ""}, 0, 0, {}});
    store.give_job(2, "device");
    if (store.commit()) return "it says that what it cannot write is stored";
    if (!store.result(1) || store.results() != 1) return "what is not stored yet is not there";
    if (!store.has_room()) return "one result should have room";
    store.add_result(10, measured(1, 60'000));
    fill_disk(false);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    if (!store.commit()) return "it does not go on by itself: " + store.trouble();
    if (!store.trouble().empty() || !store.has_room()) return "it is still in trouble";
    // And while it is in use.
    fill_disk(true);
    store.add_result(2, measured(6));
    if (store.commit()) return "it says that what it could not write is stored";
    if (!store.result(10)) return "what was stored before is not there";
    fill_disk(false);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    return store.commit() ? "" : "it does not go on by itself once more";
}

TEST_F(BridgeStoreTest, OnAFullDiskItOpensAnswersAndGoesOnWhenThereIsRoom) {
    {
        BridgeStore store(options());
        store.add_job({1, {"spec", "{}", ""}, 0, 0, {}});
        store.commit();
    }
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        std::string wrong;
        try {
            wrong = use_on_a_full_disk(options());
        } catch (const std::exception& error) {
            wrong = error.what();
        }
        wrong += '\n';  // its end is said even when nothing went wrong
        ::_exit(::write(ends[1], wrong.data(), wrong.size()) < 0 ? 1 : 0);
    }
    ::close(ends[1]);
    std::string said(4096, '\0');
    const ssize_t got = ::read(ends[0], said.data(), said.size());
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);
    EXPECT_EQ(said.substr(0, static_cast<std::size_t>(std::max<ssize_t>(got, 0))), "\n");
    BridgeStore store(options());
    EXPECT_EQ(store.result(1)->metrics.at("latency_ms"), 5);
    EXPECT_EQ(store.result(2)->metrics.at("latency_ms"), 6);
    EXPECT_TRUE(store.result(10));
    EXPECT_TRUE(store.open_jobs().empty());
}

TEST_F(BridgeStoreTest, OneProcessAtATime) {
    const BridgeStore store(options());
    EXPECT_THROW(BridgeStore{options()}, ConfigError);
}

TEST_F(BridgeStoreTest, IsForItsOwnerOrSharedWithTheGroup) {
    const auto mode_of = [&](const std::string& path) {
        return static_cast<unsigned>(fs::status(path).permissions());
    };
    for (const auto& [access, inside, file] :
         {std::tuple(Access::owner, 0700U, 0600U), {Access::group, 0750U, 0640U}}) {
        fs::remove_all(folder.path("store"));
        BridgeStoreOptions made = options();
        made.access = access;
        BridgeStore store(made);
        store.add_result(1, measured(1));
        store.commit();
        EXPECT_EQ(mode_of(folder.path("store")), inside);
        for (const char* suffix : {"", "-wal"})
            EXPECT_EQ(mode_of(database() + suffix), file) << suffix;
    }
}

TEST_F(BridgeStoreTest, OneThatAllMayReadIsTightenedAndALinkRefused) {
    {
        BridgeStore store(options());
        store.add_result(1, measured(1));
        store.commit();
    }
    fs::permissions(database(), fs::perms(0644));
    EXPECT_TRUE(BridgeStore(options()).result(1));
    EXPECT_EQ(fs::status(database()).permissions(), fs::perms(0600));
    fs::rename(database(), folder.path("elsewhere.db"));
    fs::create_symlink(folder.path("elsewhere.db"), database());
    EXPECT_THROW(BridgeStore{options()}, ConfigError);
}

TEST_F(BridgeStoreTest, AnotherReleasesStoreIsRefusedNotDamaged) {
    {
        BridgeStore store(options());
        store.add_result(1, measured(1));
        store.commit();
    }
    execute("PRAGMA user_version=2; ALTER TABLE job ADD COLUMN later");
    EXPECT_THROW(BridgeStore{options()}, CorruptState);
    EXPECT_THROW(BridgeStore{options()}, CorruptState) << "nor is its folder kept locked";
    execute("ALTER TABLE job DROP COLUMN later");
    EXPECT_TRUE(BridgeStore(options()).result(1)) << "one sign alone is damage";
}

// What an earlier release left: eight jobs, of which one is lost twice with two devices, three are
// measured, one has failed, one is dropped.
TEST_F(BridgeStoreTest, TakesTheJournalOfAnEarlierReleaseOver) {
    put_journal(read_file(test::test_data("bridge_store/journal")));
    for (int start = 0; start < 2; ++start) {
        BridgeStore store(options());
        const auto open = store.open_jobs();
        ASSERT_EQ(open.size(), 3u);
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(open[i].id, request_id(open[i].job));
            EXPECT_EQ(open[i].priority, i - 3);
        }
        EXPECT_EQ(open[0].losses, 2);
        EXPECT_EQ(open[0].given, (std::vector<std::string>{"pi-1", "pi 2"}));
        EXPECT_EQ(open[1].job.device_class, "pi");
        EXPECT_EQ(store.results(), 4u);
        for (const OpenJob& each : open) EXPECT_NO_THROW((void)settings_of(each.job));
        // As that release said it: what its rule called valid does not answer for today's.
        Json settings = parse_json(open[0].job.settings, "settings");
        for (int i = 3; i < 8; ++i) {
            settings["repeat"] = i;
            const auto result = store.result(
                request_id({open[0].job.spec, settings.dump(), i % 2 == 0 ? "" : "pi"}));
            ASSERT_EQ(result.has_value(), i < 7) << i;
            if (!result) continue;
            EXPECT_EQ(result->metrics.count("latency_ms"), i < 6 ? 1u : 0u);
            EXPECT_EQ(result->failure_of == FailureOf::network, i == 6);
        }
        EXPECT_FALSE(fs::exists(journal()));
        EXPECT_TRUE(fs::exists(journal() + ".migrated"));
    }
}

TEST_F(BridgeStoreTest, ADamagedJournalCostsTheRecordThatIsHitOnly) {
    const std::string whole = read_file(test::test_data("bridge_store/journal"));
    // Its first header stays: another version there is refused on purpose.
    for (std::size_t at = envelope_header_bytes; at < whole.size(); at += 193) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 4);
        put_journal(bytes);
        BridgeStore store(options());
        const auto known = store.open_jobs().size() + store.results();
        EXPECT_GE(known, 6u) << at;
        EXPECT_LE(known, 8u) << at;
        put_journal(whole.substr(0, at));
        EXPECT_NO_THROW(BridgeStore{options()}) << at;
    }
    std::string other = whole;
    other[4] = 9;
    put_journal(other);
    EXPECT_THROW(BridgeStore{options()}, CorruptState);
    EXPECT_EQ(read_file(journal()), other);
}

/// A store that has been in use, twice: closed in order, and as a kill leaves it.
class DamagedStoreTest : public BridgeStoreTest {
  protected:
    static constexpr std::uint64_t results = 600, jobs = 30;

    DamagedStoreTest() {
        BridgeStore store(options());
        for (std::uint64_t id = 1; id <= results; ++id) {
            store.add_job({id, {std::string(300, 's'), "{}", ""}, 0, 0, {}});
            store.give_job(id, "device");
            store.add_result(id, measured(static_cast<double>(id), record_bytes(id)));
            if (id % jobs == 0) store.add_job({10'000 + id, {"open", "{}", ""}, 1, 0, {"device"}});
            if (id % 100 == 0) store.commit();
            if (id == results / 2) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1100));
                store.commit();  // empties the log
            }
        }
        for (std::uint64_t id = 1; id <= 20; ++id) {
            store.add_job({20'000 + id, {"late", "{}", ""}, 1, 0, {}});
            store.commit();
        }
        fs::copy(folder.path("store"), folder.path("killed"));
    }

    /// Everything that was acknowledged is there. @param large_may_miss  but one large record.
    void expect_all(const std::string& where, bool large_may_miss = false) {
        BridgeStore store(options());
        ASSERT_GE(store.results(), results - (large_may_miss ? 1 : 0)) << where;
        for (std::uint64_t id = 1; id <= results; ++id) {
            const auto found = store.result(id);
            if (!found && large_may_miss && id % 50 == 0) continue;
            ASSERT_TRUE(found) << where << ": " << id;
            ASSERT_EQ(found->metrics.at("latency_ms"), static_cast<double>(id)) << where;
            ASSERT_EQ(found->record.size(), record_bytes(id)) << where;
        }
        const auto open = store.open_jobs();
        EXPECT_EQ(open.size(), results / jobs + 20) << where;
        store.add_result(results + 1, measured(1));
        store.commit();
        EXPECT_TRUE(store.result(results + 1)) << where;
    }
};

TEST_F(DamagedStoreTest, AFlippedByteAnywhereLosesNothing) {
    fs::rename(folder.path("store"), folder.path("closed"));
    const auto flips = static_cast<std::uint64_t>(test::setting("EDGELOOP_STORE_FLIPS", 40));
    RandomStream random(1, "flips");
    for (std::uint64_t i = 0; i < flips && !HasFatalFailure(); ++i) {
        put_store(folder.path(i % 2 == 0 ? "closed" : "killed"));
        const bool log = i % 4 == 1;
        const std::string hit = database() + (log ? "-wal" : "");
        // Every fifth into the first page, which no other can stand in for.
        const auto size = fs::file_size(hit);
        const auto at = random.below(i % 5 == 0 ? std::uint64_t(16'384) : size);
        flip(hit, at, static_cast<char>(1 + random.below(255)));
        // The second copy of a record of more than 4 KiB is not in one piece.
        expect_all(hit + " at " + std::to_string(at), log);
    }
}

TEST_F(DamagedStoreTest, EveryByteOfTheHeaderMayBeFlipped) {
    fs::rename(folder.path("store"), folder.path("closed"));
    const bool all = test::setting("EDGELOOP_STORE_FLIPS", 0) > 0;
    for (std::uint64_t at = 0; at < 100 && !HasFatalFailure(); at += all ? 1 : 9)
        for (const char bits : {'\x01', '\x03', '\x80'}) {
            put_store(folder.path("closed"));
            flip(database(), at, bits);
            expect_all("header at " + std::to_string(at));
        }
}

TEST_F(DamagedStoreTest, WhatIsLostIsSaid) {
    // Both copies of one result, which no other looks like.
    std::string bytes = read_file(database());
    const std::string sealed =
        seal_record(RecordType::result, 77, "").substr(0, envelope_header_bytes - 12);
    std::size_t copies = 0;
    for (std::size_t at = bytes.find(sealed); at != std::string::npos;
         at = bytes.find(sealed, at + 1), ++copies)
        bytes[at + 60] = static_cast<char>(bytes[at + 60] ^ (1 << copies));
    EXPECT_EQ(copies, 2u);
    std::ofstream(database(), std::ios::binary) << bytes;
    testing::internal::CaptureStderr();
    BridgeStore store(options());
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("lost: 1 records (result 000000000000004d)"), std::string::npos) << said;
    EXPECT_EQ(store.results(), results - 1);
    EXPECT_FALSE(store.result(77));
    EXPECT_TRUE(store.result(78));
}

TEST_F(DamagedStoreTest, DamageIsMendedWhileItIsUsed) {
    BridgeStore store(options());
    const auto size = fs::file_size(database());
    for (std::uint64_t at = size / 4; at < size; at += size / 4) flip(database(), at, 1);
    for (std::uint64_t id = 1; id <= results; ++id) EXPECT_TRUE(store.result(id)) << id;
    store.add_result(results + 1, measured(1));
    store.commit();
    EXPECT_TRUE(store.result(results + 1));
}

TEST_F(DamagedStoreTest, ARepairThatWasInterruptedIsFinished) {
    fs::rename(database(), database() + ".repaired");
    expect_all("repaired");
}

/// Writes results until it is killed, and says over the pipe which are durable.
[[noreturn]] void write_until_killed(const BridgeStoreOptions& options, int acknowledge) {
    BridgeStore store(options);
    for (std::uint64_t id = store.results() + 1;; ++id) {
        store.add_job({id, {"spec", "{}", ""}, 0, 0, {}});
        if (id % 3 == 0) store.commit();
        store.add_result(id, measured(static_cast<double>(id), record_bytes(id)));
        store.commit();
        store.commit();
        if (::write(acknowledge, &id, sizeof id) != sizeof id) ::_exit(1);
    }
}

TEST_F(BridgeStoreTest, AKillLosesNothingThatWasAcknowledged) {
    RandomStream random(2, "kills");
    std::uint64_t acknowledged = 0;
    const int kills = static_cast<int>(test::setting("EDGELOOP_STORE_KILLS", 8));
    for (int i = 0; i < kills; ++i) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        const pid_t child = ::fork();
        if (child == 0) write_until_killed(options(), ends[1]);
        ::close(ends[1]);
        std::this_thread::sleep_for(std::chrono::microseconds(10'000 + random.below(150'000)));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        for (std::uint64_t id = 0; ::read(ends[0], &id, sizeof id) == sizeof id;) acknowledged = id;
        ::close(ends[0]);
        BridgeStore store(options());
        ASSERT_GE(store.results(), acknowledged);
        for (std::uint64_t id = 1; id <= acknowledged; ++id)
            ASSERT_EQ(store.result(id)->metrics.at("latency_ms"), static_cast<double>(id));
        EXPECT_LE(store.open_jobs().size(), 1u);
    }
    EXPECT_GT(acknowledged, 0u);
    ASSERT_FALSE(fs::is_empty(folder.path("store")));
    for (const auto& entry : fs::directory_iterator(folder.path("store")))
        EXPECT_EQ(entry.path().string().find("damaged"), std::string::npos) << entry.path();
}

}  // namespace
}  // namespace edgeloop::bridge_store_test
