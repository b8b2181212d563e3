#include "search/failure_watch.hpp"

#include <gtest/gtest.h>

namespace edgeloop::failure_watch_test {
namespace {

TEST(FailureWatch, TheFirstEightThatFailAlikeAreEnough) {
    FailureWatch watch;
    for (int i = 1; i <= 8; ++i) {
        EXPECT_FALSE(watch.diagnosis()) << i;
        watch.note(Status::failed, "rank " + std::to_string(i) + ": no space left on device");
    }
    ASSERT_TRUE(watch.diagnosis());
    EXPECT_EQ(*watch.diagnosis(),
              "8 of the last 8 designs failed for the same reason: rank 8: no space left on "
              "device");
}

TEST(FailureWatch, OneThatWorkedAmongTheFirstAsksForMorePatience) {
    FailureWatch watch;
    watch.note(Status::completed, "");
    for (int i = 0; i < 17; ++i) watch.note(Status::lost, "the device is gone");
    EXPECT_FALSE(watch.diagnosis());
    watch.note(Status::lost, "the device is gone");
    EXPECT_TRUE(watch.diagnosis()) << "18 of 19";
}

TEST(FailureWatch, AMachineThatBreaksInMidRunIsNoticed) {
    FailureWatch watch;
    for (int i = 0; i < 1000; ++i) watch.note(Status::completed, "");
    for (int i = 0; i < 17; ++i) watch.note(Status::failed, "the disk is full");
    EXPECT_FALSE(watch.diagnosis());
    watch.note(Status::failed, "the disk is full");
    EXPECT_TRUE(watch.diagnosis());
}

TEST(FailureWatch, DesignsThatFailEachInItsWayOrBreakALimitAreTheSearchsBusiness) {
    FailureWatch watch;
    for (int i = 0; i < 100; ++i) {
        watch.note(Status::infeasible, "latency_ms is 2");
        watch.note(Status::cancelled, "it could not matter");
        watch.note(Status::failed, i % 2 == 0 ? "the loss is not finite" : "out of memory");
    }
    EXPECT_FALSE(watch.diagnosis());
}

}  // namespace
}  // namespace edgeloop::failure_watch_test
