#include "edgeloop/training/rate_test.hpp"

#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop::rate_test_test {
namespace {

/// Losses at the rates 1, 2, 3, ...
RateTest of(const std::vector<double>& losses) {
    RateTest test;
    for (std::size_t i = 0; i < losses.size(); ++i) test.points.push_back({i + 1.0, losses[i], 0});
    return test;
}

TEST(RateTests, SuggestATenthOfTheRateWithTheSmallestAveragedLoss) {
    RateTestSettings how;
    how.smoothing = 0.5;
    RateTest test = of({4, 2, 2, 8, 8});
    judge_rates(test, how);
    // Averages with weights that halve: 4; 8/3; 16/7; ...
    EXPECT_DOUBLE_EQ(test.points.at(0).smoothed, 4);
    EXPECT_DOUBLE_EQ(test.points.at(1).smoothed, 8.0 / 3);
    EXPECT_DOUBLE_EQ(test.points.at(2).smoothed, 16.0 / 7);
    EXPECT_DOUBLE_EQ(test.suggested, 0.3);
    EXPECT_TRUE(test.rose);
    EXPECT_FALSE(test.diverged);
    EXPECT_EQ(test.points.size(), 5u);
}

TEST(RateTests, DoNotTakeNoiseForTheBestRate) {
    RateTestSettings how;
    how.smoothing = 0;
    RateTest test = of({1, 0.95, 1.04, 1.0, 1.2, 3});
    judge_rates(test, how);
    EXPECT_DOUBLE_EQ(test.suggested, 0.4);
    EXPECT_TRUE(test.rose);
}

TEST(RateTests, EndWhereTheLossDiverges) {
    RateTestSettings how;
    how.smoothing = 0;
    how.divergence = 4;
    RateTest test = of({4, 1, 3.9, 4.1, 0.5});
    judge_rates(test, how);
    EXPECT_EQ(test.points.size(), 4u);
    EXPECT_TRUE(test.diverged);
    EXPECT_DOUBLE_EQ(test.suggested, 0.2);
    test = of({4, 3, std::nan(""), 1});
    judge_rates(test, how);
    EXPECT_EQ(test.points.size(), 2u);
    EXPECT_TRUE(test.diverged);
    EXPECT_FALSE(test.rose);
    test = of({std::numeric_limits<double>::infinity()});
    judge_rates(test, how);
    EXPECT_TRUE(test.points.empty());
    EXPECT_EQ(test.suggested, 0);
}

class SweepTest : public testing::Test {
  protected:
    void SetUp() override { shards_ = test::make_small_dataset(folder_.root()); }
    [[nodiscard]] RateTest sweep(const RateTestSettings& how,
                                 const CancelToken& token = CancelToken()) const {
        return test_rates(test::cpu_settings(shards_),
                          test::small_candidate(R"({"batch":8,"optimizer":"sgd"})", 3),
                          Communicator(), token, how);
    }

  private:
    test::TemporaryFolder folder_;
    std::string shards_;
};

TEST_F(SweepTest, RaisesTheRateInEqualFactorsUntilTheLossDiverges) {
    RateTestSettings how;
    how.lowest = 1e-4;
    how.highest = 1e4;
    how.steps = 60;
    const RateTest test = sweep(how);
    ASSERT_EQ(test.status, Status::completed) << test.reason;
    ASSERT_GE(test.points.size(), 10u);
    EXPECT_LT(test.points.size(), 60u) << "it did not see that such rates are too high";
    EXPECT_TRUE(test.diverged);
    EXPECT_DOUBLE_EQ(test.points.front().rate, 1e-4);
    const double factor = std::pow(1e8, 1.0 / 59);
    for (std::size_t i = 1; i < test.points.size(); ++i)
        EXPECT_NEAR(test.points[i].rate / test.points[i - 1].rate, factor, 1e-9);
    EXPECT_GT(test.suggested, 1e-5);
    EXPECT_LT(test.suggested, test.points.back().rate / 10);
    const RateTest again = sweep(how);
    EXPECT_EQ(again.suggested, test.suggested);
    EXPECT_EQ(again.points.size(), test.points.size());
}

class Stop : public CancelToken {
  public:
    [[nodiscard]] bool requested() const override { return true; }
};

TEST_F(SweepTest, EndsWhenAskedTo) {
    const RateTest test = sweep({}, Stop());
    EXPECT_EQ(test.status, Status::cancelled);
    EXPECT_TRUE(test.points.empty());
}

}  // namespace
}  // namespace edgeloop::rate_test_test
