#include "edgeloop/store/timed_store.hpp"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

/// Takes its time for everything and counts what arrives.
class SlowStore : public NullRunStore {
  public:
    void record(const Event&) override { work(records); }
    void commit() override { work(commits); }
    void snapshot(const EngineState&, const std::map<CandidateId, InFlight>&) override {
        work(snapshots);
    }
    void publish(const Progress&, const std::vector<ArchiveMember>&, bool) override {
        work(publications);
    }
    int records = 0, commits = 0, snapshots = 0, publications = 0;

  private:
    static void work(int& count) {
        ++count;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
};

TEST(TimedStore, PassesEverythingOnAndAddsUpWhatItTook) {
    SlowStore slow;
    TimedStore store(slow);
    EXPECT_EQ(store.seconds(), 0);
    store.record(Note{"resumed", 0, ""});
    store.record(Note{"stopped", 0, ""});
    store.commit();
    store.snapshot({}, {});
    store.publish({}, {}, true);
    EXPECT_EQ(slow.records, 2);
    EXPECT_EQ(slow.commits, 1);
    EXPECT_EQ(slow.snapshots, 1);
    EXPECT_EQ(slow.publications, 1);
    EXPECT_GE(store.seconds(), 5 * 2e-3);
    EXPECT_FALSE(store.recover());
}

}  // namespace
}  // namespace edgeloop
