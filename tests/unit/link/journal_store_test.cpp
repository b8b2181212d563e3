#include "edgeloop/link/journal_store.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

MeasurementResult measured(double latency_ms) {
    MeasurementResult result;
    result.metrics["latency_ms"] = latency_ms;
    return result;
}

/// Commits, and waits for what that sets off.
void settle(JournalStore& store) {
    store.commit();
    while (store.compacting()) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        store.commit();
    }
}

class JournalStoreTest : public testing::Test {
  protected:
    [[nodiscard]] JournalOptions options() const {
        JournalOptions made;
        made.folder = folder.path("store");
        return made;
    }
    [[nodiscard]] std::string journal() const { return folder.path("store/journal"); }

    test::TemporaryFolder folder;
};

TEST_F(JournalStoreTest, RemembersJobsResultsAndLossesOverARestart) {
    {
        JournalStore store(options());
        store.add_job({1, {"spec 1", "{}", "c"}, 5, 0, {}});
        store.add_job({2, {"spec 2", "{}", ""}, -1, 0, {}});
        store.add_job({3, {"spec 3", "{}", ""}, 0, 0, {}});
        store.set_losses(2, 2);
        store.add_result(1, measured(1.5));
        store.drop_job(3);
        store.set_device("pi", "{}");
        store.commit();
    }
    JournalStore store(options());
    const auto open = store.open_jobs();
    ASSERT_EQ(open.size(), 1u);
    EXPECT_EQ(open[0].id, 2u);
    EXPECT_EQ(open[0].job.spec, "spec 2");
    EXPECT_EQ(open[0].priority, -1);
    EXPECT_EQ(open[0].losses, 2);
    EXPECT_EQ(store.results(), 1u);
    EXPECT_DOUBLE_EQ(store.result(1)->metrics.at("latency_ms"), 1.5);
    EXPECT_FALSE(store.result(2));
}

TEST_F(JournalStoreTest, EveryTornEndKeepsWhatCameBefore) {
    std::uint64_t first_bytes = 0;
    {
        JournalStore store(options());
        store.add_result(1, measured(1));
        store.commit();
        first_bytes = store.journal_bytes();
        store.add_result(2, measured(2));
        store.commit();
    }
    const std::string whole = read_file(journal());
    for (std::uint64_t size = first_bytes; size < whole.size(); size += 7) {
        std::ofstream(journal(), std::ios::binary) << whole.substr(0, size);
        {
            JournalStore store(options());
            EXPECT_TRUE(store.result(1)) << size;
            EXPECT_FALSE(store.has_result(2)) << size;
            store.add_result(3, measured(3));
            store.commit();
        }
        JournalStore again(options());
        EXPECT_TRUE(again.result(1) && again.result(3)) << size;
    }
}

TEST_F(JournalStoreTest, DamageIsSetAsideNotDeleted) {
    {
        JournalStore store(options());
        for (std::uint64_t id = 1; id <= 3; ++id) store.add_result(id, measured(1));
        store.commit();
    }
    std::string bytes = read_file(journal());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    std::ofstream(journal(), std::ios::binary) << bytes;
    JournalStore store(options());
    EXPECT_TRUE(store.has_result(1));
    EXPECT_FALSE(store.has_result(3));
    std::uint64_t kept = store.journal_bytes();
    for (const auto& entry : std::filesystem::directory_iterator(folder.path("store")))
        if (entry.path().string().find("damaged") != std::string::npos)
            kept += std::filesystem::file_size(entry.path());
    EXPECT_EQ(kept, bytes.size());
}

TEST_F(JournalStoreTest, IsUsedOnWhileItIsCompacted) {
    JournalOptions small = options();
    small.compact_bytes = 4096;
    std::uint64_t before = 0;
    {
        JournalStore store(small);
        store.add_job({1, {"kept", "{}", ""}, 3, 0, {}});
        store.give_job(1, "early");
        store.add_job({2, {"dropped", "{}", ""}, 3, 0, {}});
        store.add_job({3, {"answered", "{}", ""}, 3, 0, {}});
        for (int i = 0; !store.compacting(); ++i) {
            store.add_result(7, measured(i));
            store.add_result(8, measured(i));
            store.commit();
        }
        // Until the next commit the second journal is not taken, however fast it was made.
        before = store.journal_bytes();
        EXPECT_TRUE(store.result(8));
        store.give_job(1, "late");
        store.set_losses(1, 2);
        store.drop_job(2);
        store.add_result(3, measured(3));
        store.add_result(7, measured(70));
        store.add_job({4, {"new", "{}", ""}, 0, 0, {}});
        settle(store);
        EXPECT_FALSE(store.compacting());
        EXPECT_LT(store.journal_bytes(), before);
        EXPECT_DOUBLE_EQ(store.result(7)->metrics.at("latency_ms"), 70);
        EXPECT_DOUBLE_EQ(store.result(3)->metrics.at("latency_ms"), 3);
        EXPECT_TRUE(store.result(8));
    }
    JournalStore store(small);
    EXPECT_DOUBLE_EQ(store.result(7)->metrics.at("latency_ms"), 70);
    EXPECT_DOUBLE_EQ(store.result(3)->metrics.at("latency_ms"), 3);
    EXPECT_TRUE(store.result(8));
    const auto open = store.open_jobs();
    ASSERT_EQ(open.size(), 2u);
    EXPECT_EQ(open[0].losses, 2);
    EXPECT_EQ(open[0].given, (std::vector<std::string>{"early", "late"}));
    EXPECT_EQ(open[1].job.spec, "new");
}

TEST_F(JournalStoreTest, AnUnfinishedCompactionIsForgotten) {
    JournalOptions small = options();
    small.compact_bytes = 4096;
    {
        JournalStore store(small);
        for (int i = 0; !store.compacting(); ++i) {
            store.add_result(7, measured(i));
            store.commit();
        }
        store.add_result(9, measured(9));
    }
    EXPECT_FALSE(std::filesystem::exists(journal() + ".new"));
    JournalStore store(small);
    EXPECT_TRUE(store.result(7) && store.result(9));
}

TEST_F(JournalStoreTest, CompactionKeepsWhatCountsAndSurvivesARestart) {
    JournalOptions small = options();
    small.compact_bytes = 4096;
    {
        JournalStore store(small);
        store.add_job({500, {"open", "{}", ""}, 3, 0, {}});
        store.set_losses(500, 1);
        for (int round = 0; round < 50; ++round) {
            for (std::uint64_t id = 1; id <= 10; ++id) {
                store.add_job({id + 1000, {std::string(200, 'x'), "{}", ""}, 0, 0, {}});
                store.drop_job(id + 1000);
            }
            settle(store);
        }
        store.add_result(7, measured(7));
        settle(store);
        EXPECT_LT(store.journal_bytes(), 16384u);
        EXPECT_DOUBLE_EQ(store.result(7)->metrics.at("latency_ms"), 7);
    }
    JournalStore store(small);
    EXPECT_DOUBLE_EQ(store.result(7)->metrics.at("latency_ms"), 7);
    ASSERT_EQ(store.open_jobs().size(), 1u);
    EXPECT_EQ(store.open_jobs()[0].losses, 1);
    EXPECT_EQ(store.open_jobs()[0].priority, 3);
}

TEST_F(JournalStoreTest, TheOldestResultsGoFirst) {
    JournalOptions few = options();
    few.max_results = 16;
    JournalStore store(few);
    for (std::uint64_t id = 1; id <= 40; ++id) {
        store.add_result(id, measured(static_cast<double>(id)));
        settle(store);
    }
    EXPECT_LE(store.results(), 18u);
    EXPECT_FALSE(store.has_result(1));
    EXPECT_TRUE(store.result(40));
}

TEST_F(JournalStoreTest, ADeviceThatKeepsChangingItsNameDoesNotFillTheDisk) {
    JournalOptions few = options();
    few.max_devices = 8;
    few.compact_bytes = 4096;
    {
        JournalStore store(few);
        for (int i = 0; i < 500; ++i) {
            store.set_device("device " + std::to_string(i), std::string(100, ' ') + "{}");
            settle(store);
        }
        EXPECT_EQ(store.devices(), 8u);
        EXPECT_LT(store.journal_bytes(), 8192u);
    }
    EXPECT_EQ(JournalStore(few).devices(), 8u);
}

TEST_F(JournalStoreTest, AResultThatReplacesAnotherDoesNotCountTwice) {
    JournalOptions small = options();
    small.compact_bytes = 4096;
    JournalStore store(small);
    for (int i = 0; i < 500; ++i) {
        store.add_result(1, measured(i));
        settle(store);
    }
    EXPECT_LT(store.journal_bytes(), 8192u);
    EXPECT_DOUBLE_EQ(store.result(1)->metrics.at("latency_ms"), 499);
}

TEST_F(JournalStoreTest, ACompactionThatFailsLosesNothingAndIsTriedAgain) {
    JournalOptions small = options();
    small.compact_bytes = 4096;
    {
        JournalStore store(small);
        // A folder that is not empty cannot be replaced by a file.
        std::filesystem::create_directories(journal() + ".new/in the way");
        for (int i = 0; i < 500; ++i) {
            store.add_result(1, measured(i));
            settle(store);
        }
        EXPECT_GT(store.journal_bytes(), 8192u);
        EXPECT_DOUBLE_EQ(store.result(1)->metrics.at("latency_ms"), 499);
    }
    std::filesystem::remove_all(journal() + ".new");
    JournalStore store(small);
    EXPECT_DOUBLE_EQ(store.result(1)->metrics.at("latency_ms"), 499);
    store.add_result(2, measured(2));
    settle(store);
    EXPECT_LT(store.journal_bytes(), 8192u);
    EXPECT_DOUBLE_EQ(store.result(1)->metrics.at("latency_ms"), 499);
}

TEST_F(JournalStoreTest, OneProcessAtATime) {
    const JournalStore store(options());
    EXPECT_THROW(JournalStore{options()}, ConfigError);
}

TEST_F(JournalStoreTest, AnotherReleasesJournalIsRefusedNotDamaged) {
    {
        JournalStore store(options());
        store.add_result(1, measured(1));
        store.commit();
    }
    const std::string sound = read_file(journal());
    std::string bytes = sound;
    bytes[4] = 9;
    std::ofstream(journal(), std::ios::binary) << bytes;
    EXPECT_THROW(JournalStore{options()}, CorruptState);
    EXPECT_EQ(read_file(journal()), bytes);
    // Nor is its folder kept locked.
    std::ofstream(journal(), std::ios::binary) << sound;
    EXPECT_EQ(JournalStore(options()).results(), 1u);
}

}  // namespace
}  // namespace edgeloop
