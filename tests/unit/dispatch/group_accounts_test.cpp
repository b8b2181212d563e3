#include "dispatch/group_accounts.hpp"

#include <gtest/gtest.h>

namespace edgeloop::group_accounts_test {
namespace {

Outcome ends(CandidateId id, Status status, double seconds = 0.001) {
    Outcome outcome;
    outcome.id = id;
    outcome.status = status;
    outcome.seconds = seconds;
    return outcome;
}
Outcome fails(CandidateId id) { return ends(id, Status::failed); }
Outcome passes(CandidateId id) { return ends(id, Status::completed); }

class GroupAccountsTest : public testing::Test {
  protected:
    /// The group fails so many candidates at once, from this one on; none counts yet.
    void fail_on(std::size_t group, CandidateId first, std::size_t count) {
        for (CandidateId id = first; id < first + count; ++id)
            EXPECT_FALSE(accounts_.counts(group, fails(id), now_)) << id;
    }

    AccountLimits limits_;
    GroupAccounts accounts_{{"rank 1", "rank 2", "rank 3", "rank 4"}, limits_};
    double now_ = 100;
};

TEST_F(GroupAccountsTest, AGroupThatFailsWhatOthersCompleteIsTakenOutAndComesBack) {
    fail_on(0, 1, 3);
    EXPECT_FALSE(accounts_.trusted(0)) << "nothing more until somebody explains the failures";
    EXPECT_TRUE(accounts_.may_retry(1, 2));
    EXPECT_FALSE(accounts_.may_retry(1, 0));
    EXPECT_TRUE(accounts_.counts(2, passes(1), now_));
    EXPECT_FALSE(accounts_.trusted(0));
    EXPECT_TRUE(accounts_.trusted(2));
    EXPECT_FALSE(accounts_.probe_due(0, now_));
    now_ += limits_.probe_after_s;
    EXPECT_TRUE(accounts_.probe_due(0, now_));
    accounts_.probed(0, now_);
    EXPECT_FALSE(accounts_.probe_due(0, now_));
    EXPECT_FALSE(accounts_.counts(0, fails(9), now_)) << "a probe is tried elsewhere as well";
    EXPECT_FALSE(accounts_.trusted(0));
    now_ += 2 * limits_.probe_after_s;
    ASSERT_TRUE(accounts_.probe_due(0, now_));
    EXPECT_TRUE(accounts_.counts(0, passes(10), now_));
    EXPECT_TRUE(accounts_.trusted(0));
}

TEST_F(GroupAccountsTest, ACandidateThatFailsOnEveryGroupTriedIsToBlameItself) {
    for (CandidateId id = 1; id <= 20; ++id) {
        EXPECT_FALSE(accounts_.counts(0, fails(id), now_));
        EXPECT_FALSE(accounts_.counts(1, fails(id), now_));
        EXPECT_TRUE(accounts_.counts(3, fails(id), now_));
        for (const std::size_t group : {0u, 1u, 2u, 3u}) EXPECT_TRUE(accounts_.trusted(group));
    }
}

TEST_F(GroupAccountsTest, RetriesGoToGroupsWithNothingAgainstThem) {
    fail_on(0, 1, 1);
    fail_on(1, 2, 1);
    EXPECT_FALSE(accounts_.may_retry(1, 1));
    EXPECT_TRUE(accounts_.may_retry(1, 2));
    accounts_.gone(2);
    accounts_.gone(3);
    EXPECT_TRUE(accounts_.may_retry(1, 1)) << "there is no better one";
    accounts_.gone(1);
    EXPECT_FALSE(accounts_.has_others(1));
    EXPECT_TRUE(accounts_.counts(0, fails(3), now_)) << "nobody else to ask";
}

TEST_F(GroupAccountsTest, SlowFailuresAndCancellationsAreNotTheGroups) {
    for (CandidateId id = 1; id <= 9; ++id) {
        EXPECT_TRUE(accounts_.counts(0, ends(id, Status::failed, 2 * limits_.quick_s), now_));
        EXPECT_TRUE(accounts_.counts(0, ends(id, Status::cancelled), now_));
        EXPECT_TRUE(accounts_.counts(0, ends(id, Status::timed_out, 60), now_));
    }
    EXPECT_TRUE(accounts_.trusted(0));
}

TEST_F(GroupAccountsTest, ASuccessInBetweenEndsTheRow) {
    for (CandidateId id = 1; id <= 9; id += 3) {
        fail_on(0, id, 2);
        EXPECT_TRUE(accounts_.counts(0, passes(id + 2), now_));
        EXPECT_TRUE(accounts_.counts(1, passes(id), now_));
    }
    EXPECT_TRUE(accounts_.trusted(0));
}

TEST_F(GroupAccountsTest, WhatIsForgottenIsHeldAgainstNobody) {
    fail_on(0, 1, 3);
    EXPECT_FALSE(accounts_.trusted(0));
    accounts_.forget(2);
    EXPECT_TRUE(accounts_.trusted(0));
}

}  // namespace
}  // namespace edgeloop::group_accounts_test
