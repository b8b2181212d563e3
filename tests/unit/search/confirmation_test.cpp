#include "edgeloop/search/confirmation.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::confirmation_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Errors come from training; latencies are known and exact.
class ConfirmationTest : public ::testing::Test {
  protected:
    ConfirmationTest() { goals_.objectives = {"error", "latency"}; }

    static CompletedCandidate result(CandidateId id, double error, double latency) {
        CompletedCandidate made;
        made.candidate.id = id;
        made.settled = {{"latency", latency}};
        made.metrics = {{"latency", latency}, {"error", error}, {"loss", 2 * error}};
        return made;
    }
    void add(CandidateId id, double error, double latency) {
        confirmation_.add(result(id, error, latency), state_);
    }
    /// Tells all repeats of a design: one with a negative error failed.
    void repeat(CandidateId id, double latency, const std::vector<double>& errors) {
        for (std::size_t i = errors.size(); i-- > 0;) {  // in any order
            const double error = errors[i];
            CompletedCandidate draw =
                result(repeat_id(id, static_cast<std::uint32_t>(i + 1)), error, latency);
            if (error < 0) {
                draw.status = Status::failed;
                draw.metrics.erase("error");
                draw.reason = "the loss is nan";
            }
            confirmation_.take(draw, state_);
        }
    }
    static std::vector<CandidateId> ids(const std::vector<ArchiveMember>& members) {
        std::vector<CandidateId> ids;
        for (const ArchiveMember& member : members) ids.push_back(member.completed.candidate.id);
        return ids;
    }
    std::vector<CandidateId> front() { return ids(confirmation_.front(state_)); }
    std::vector<CandidateId> wanting() {
        return ids(confirmation_.unconfirmed(confirmation_.front(state_), state_));
    }
    std::vector<CandidateId> contenders() { return ids(state_.contenders); }

    Goals goals_;
    Confirmation confirmation_{goals_, 3};
    ConfirmationState state_;
};

TEST_F(ConfirmationTest, IdsOfRepeatsTellTheirDesign) {
    const CandidateId id = repeat_id(17, 3);
    EXPECT_EQ(design_of(id), 17u);
    EXPECT_EQ(repeat_of(id), 3u);
    EXPECT_EQ(design_of(17), 17u);
    EXPECT_EQ(repeat_of(17), 0u);
}

TEST_F(ConfirmationTest, TheResultIsTheMeanOfTheRepeatsWithoutTheFirst) {
    add(1, 0.1, 5);
    EXPECT_THAT(wanting(), ElementsAre(1));
    state_.draws[1] = {};
    EXPECT_THAT(wanting(), IsEmpty()) << "they were asked for";
    repeat(1, 5, {0.2, 0.3, 0.4});
    EXPECT_THAT(confirmation_.settle(state_), ElementsAre(1));
    const std::vector<ArchiveMember> front = confirmation_.front(state_);
    ASSERT_EQ(front.size(), 1u);
    EXPECT_NEAR(front[0].objectives[0], 0.3, 1e-12);
    EXPECT_EQ(front[0].objectives[1], 5);
    EXPECT_EQ(front[0].weights, repeat_id(1, 1)) << "of the first repeat";
    const Metrics& metrics = front[0].completed.metrics;
    EXPECT_EQ(metrics.at("error"), front[0].objectives[0]);
    EXPECT_EQ(metrics.at("first_error"), 0.1);
    EXPECT_EQ(metrics.at("error_n"), 3);
    EXPECT_NEAR(metrics.at("error_sd"), 0.1, 1e-12);
    EXPECT_NEAR(metrics.at("error_se"), 0.1 / std::sqrt(3), 1e-12) << "alone it is the pool";
    EXPECT_NEAR(metrics.at("loss"), 0.6, 1e-12) << "every metric that training delivers";
    EXPECT_EQ(metrics.count("loss_sd") + metrics.count("latency_sd"), 0u);
    EXPECT_EQ(metrics.at("latency"), 5);
    EXPECT_TRUE(state_.draws.empty());
}

TEST_F(ConfirmationTest, OneThatDisappointsMakesRoomForThoseBehindIt) {
    add(1, 0.10, 5);  // lucky
    add(2, 0.20, 6);
    add(3, 0.25, 7);
    EXPECT_THAT(front(), ElementsAre(1));
    state_.draws[1] = {};
    repeat(1, 5, {0.22, 0.24, 0.26});
    (void)confirmation_.settle(state_);
    EXPECT_THAT(front(), ElementsAre(2, 1)) << "ascending by error";
    EXPECT_THAT(wanting(), ElementsAre(2));
    EXPECT_THAT(ids(confirmation_.confirmed_front(state_)), ElementsAre(1));
}

TEST_F(ConfirmationTest, OnlyWhatIsProbablyWorseThanAConfirmedDesignIsDropped) {
    add(1, 0.20, 5);
    state_.draws[1] = {};
    repeat(1, 5, {0.18, 0.20, 0.22});  // sd 0.02: relative 0.1
    (void)confirmation_.settle(state_);
    // Of a difference to a single draw of 0.23: sqrt(0.02^2 / 3 + 0.023^2) = 0.0257.
    add(2, 0.225, 6);
    EXPECT_THAT(contenders(), ElementsAre(1, 2)) << "dominated by the mean, but by chance perhaps";
    EXPECT_THAT(front(), ElementsAre(1));
    add(3, 0.23, 6);
    EXPECT_THAT(contenders(), ElementsAre(1, 2)) << "by more than a standard error";
    add(4, 0.9, 4.9);
    EXPECT_THAT(contenders(), ElementsAre(1, 2, 4)) << "what is measured compares exactly";
}

TEST_F(ConfirmationTest, ASureResultDropsWhatIsBehindIt) {
    add(1, 0.10, 5);
    add(2, 0.20, 6);
    add(3, 0.90, 7);
    state_.draws[1] = {};
    repeat(1, 5, {0.18, 0.20, 0.22});
    (void)confirmation_.settle(state_);
    EXPECT_THAT(contenders(), ElementsAre(1, 2));
}

TEST_F(ConfirmationTest, FewerThanTwoThatCompleteAreNoMember) {
    add(1, 0.10, 5);
    add(2, 0.50, 6);
    state_.draws[1] = {};
    repeat(1, 5, {-1, 0.2, -1});
    EXPECT_THAT(confirmation_.settle(state_), ElementsAre(1));
    EXPECT_THAT(front(), ElementsAre(2));
    EXPECT_THAT(state_.results.at(1).problem,
                HasSubstr("1 of 3 further trainings completed (the loss is nan)"));
    const CompletedCandidate row =
        as_reported(result(1, 0.1, 5), state_.results, Noise(state_.results));
    EXPECT_EQ(row.metrics.at("error"), 0.1);
    EXPECT_EQ(row.reason, state_.results.at(1).problem);
}

TEST_F(ConfirmationTest, TwoThatCompleteAreEnough) {
    add(1, 0.10, 5);
    state_.draws[1] = {};
    repeat(1, 5, {-1, 0.2, 0.4});
    (void)confirmation_.settle(state_);
    ASSERT_THAT(front(), ElementsAre(1));
    EXPECT_EQ(confirmation_.front(state_)[0].completed.metrics.at("error_n"), 2);
    EXPECT_NEAR(confirmation_.front(state_)[0].objectives[0], 0.3, 1e-12);
    EXPECT_EQ(confirmation_.front(state_)[0].weights, repeat_id(1, 2));
}

TEST_F(ConfirmationTest, AMeanThatBreaksALimitIsNoMemberAndBadDrawsCount) {
    goals_.constraints = {parse_constraint("error<=0.25")};
    add(1, 0.10, 5);
    add(2, 0.12, 4);
    for (const CandidateId id : {1, 2}) state_.draws[id] = {};
    const auto take = [&](CandidateId id, std::uint32_t number, double error, double latency) {
        CompletedCandidate draw = result(repeat_id(id, number), error, latency);
        if (error > 0.25) draw.status = Status::infeasible;
        confirmation_.take(draw, state_);
    };
    for (std::uint32_t number : {1u, 2u, 3u}) take(1, number, number == 1 ? 0.2 : 0.3, 5);
    for (std::uint32_t number : {1u, 2u, 3u}) take(2, number, number == 1 ? 0.3 : 0.2, 4);
    (void)confirmation_.settle(state_);
    EXPECT_THAT(front(), ElementsAre(2));
    EXPECT_NEAR(confirmation_.front(state_)[0].objectives[0], 0.7 / 3, 1e-12);
    EXPECT_TRUE(state_.results.at(1).infeasible);
    EXPECT_THAT(state_.results.at(1).problem, HasSubstr("on average error is"));
}

TEST_F(ConfirmationTest, SettlesOnlyWhatIsComplete) {
    add(1, 0.10, 5);
    state_.draws[1] = {};
    repeat(1, 5, {0.2, 0.3});
    EXPECT_THAT(confirmation_.settle(state_), IsEmpty());
    EXPECT_EQ(state_.draws.at(1).size(), 2u);
    EXPECT_THAT(trainings_to_keep(state_), ElementsAre(repeat_id(1, 1), repeat_id(1, 2)));
}

TEST_F(ConfirmationTest, WithoutAnObjectiveOfTrainingNothingIsRepeated) {
    goals_.objectives = {"latency"};
    add(1, 0.3, 5);
    EXPECT_THAT(wanting(), IsEmpty());
    EXPECT_THAT(ids(confirmation_.confirmed_front(state_)), ElementsAre(1));
    add(2, 0.1, 6);
    EXPECT_THAT(contenders(), ElementsAre(1)) << "exactly worse";
}

TEST(Noise, IsPooledRelativeToTheMeansAndSharedBetweenDesigns) {
    const auto of = [](double mean, double deviation, std::uint64_t count) {
        Confirmed made;
        made.count = count;
        made.mean = {{"error", mean}};
        made.deviation = {{"error", deviation}};
        return made;
    };
    const Confirmed small = of(0.1, 0.02, 3), large = of(1, 0.1, 5);
    const Noise noise({{1, small}, {2, large}});
    // (2 * 0.2^2 + 4 * 0.1^2) / 6 = 0.02.
    EXPECT_NEAR(noise.deviation("error", 2), 2 * std::sqrt(0.02), 1e-12);
    EXPECT_NEAR(noise.standard_error("error", small),
                0.1 * std::sqrt((4 * 0.02 + 2 * 0.04) / 6 / 3), 1e-12);
    EXPECT_NEAR(noise.standard_error("error", large), std::sqrt((4 * 0.02 + 4 * 0.01) / 8 / 5),
                1e-12);
    EXPECT_EQ(noise.standard_error("latency", small), 0);
    EXPECT_EQ(Noise({}).deviation("error", 1), 0) << "nothing is known yet";
    const Confirmed zero = of(0, 0.3, 3);
    EXPECT_NEAR(Noise({{1, zero}}).standard_error("error", zero), 0.3 / std::sqrt(3), 1e-12);
}

}  // namespace
}  // namespace edgeloop::confirmation_test
