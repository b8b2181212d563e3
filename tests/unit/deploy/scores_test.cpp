#include "edgeloop/deploy/scores.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::scores_test {
namespace {

// One target of scale 10; each window is a group of its own.
ScoredWindows windows_of(std::vector<float> predicted, std::vector<float> expected) {
    ScoredWindows windows;
    windows.targets = {{"depth", "um", 10}};
    for (std::size_t i = 0; i < predicted.size(); ++i) windows.groups.push_back(i);
    windows.predicted = std::move(predicted);
    windows.expected = std::move(expected);
    return windows;
}

ScoredWindows with_errors(const std::vector<float>& errors) {
    std::vector<float> expected, predicted;
    for (const float error : errors) {
        expected.push_back(float(expected.size()));
        predicted.push_back(expected.back() + error);
    }
    return windows_of(predicted, expected);
}

TEST(Scores, AreThoseOfAWorkedExample) {
    ScoredWindows windows;
    windows.targets = raise_targets();
    windows.groups = {7, 7};
    windows.expected = {1.0F, 0.5F, 0.5F, 1.5F};
    windows.predicted = {1.1F, 0.5F, 0.5F, 1.2F};
    const Scores scores = scores_of(windows, {});
    EXPECT_EQ(scores.windows, 2U);
    EXPECT_EQ(scores.groups, 1U);
    EXPECT_NEAR(scores.rmse.value, std::sqrt((0.01 + 0.09) / 4), 1e-6);
    EXPECT_NEAR(scores.targets[0].rmse.value, std::sqrt(0.01 / 2), 1e-6);
    EXPECT_NEAR(scores.targets[1].rmse.value, std::sqrt(0.09 / 2), 1e-6);
    EXPECT_NEAR(scores.targets[0].r2.value, 1 - 0.01 / 0.125, 1e-5);
    EXPECT_NEAR(scores.targets[1].r2.value, 1 - 0.09 / 0.5, 1e-5);
    EXPECT_EQ(scores.rmse.low, scores.rmse.high) << "a single group can only be drawn as it is";
}

// Of two windows with errors 1 and 3 the resamples have mean squares 1, 5 and 9, with the
// probabilities 1/4, 1/2, 1/4.
TEST(Scores, AnIntervalIsThatOfTheResamples) {
    const Scores scores = scores_of(with_errors({1, 3}), {});
    EXPECT_NEAR(scores.rmse.value, std::sqrt(5.0), 1e-6);
    EXPECT_NEAR(scores.rmse.low, 1, 1e-6);
    EXPECT_NEAR(scores.rmse.high, 3, 1e-6);
    const Scores all_the_same = scores_of(with_errors({2, 2, 2, 2}), {});
    EXPECT_NEAR(all_the_same.rmse.low, 2, 1e-6);
    EXPECT_NEAR(all_the_same.rmse.high, 2, 1e-6);
}

TEST(Scores, WindowsOfAGroupAreDrawnTogether) {
    std::vector<float> errors(100, 1.0F);
    std::fill(errors.begin() + 50, errors.end(), 3.0F);
    ScoredWindows windows = with_errors(errors);
    const Scores by_window = scores_of(windows, {});
    for (std::size_t i = 0; i < 100; ++i) windows.groups[i] = 1000 + i / 50;
    const Scores by_group = scores_of(windows, {});
    EXPECT_EQ(by_group.groups, 2U);
    EXPECT_EQ(by_group.rmse.value, by_window.rmse.value);
    EXPECT_NEAR(by_group.rmse.low, 1, 1e-6);
    EXPECT_NEAR(by_group.rmse.high, 3, 1e-6);
    EXPECT_GT(by_window.rmse.low, 1.9);
    EXPECT_LT(by_window.rmse.high, 2.6);
}

// The mean of n squares has the standard error sqrt((m4 - m2^2) / n), and 400 are enough for a
// normal distribution.
TEST(Scores, AnIntervalOfManyIsAsWideAsTheorySays) {
    std::vector<float> errors;
    for (int i = 0; i < 400; ++i) errors.push_back(float(i - 199.5) / 200);
    const Scores scores = scores_of(with_errors(errors), {});
    const double square = 1.0 / 3, fourth = 1.0 / 5;
    const double deviation = std::sqrt((fourth - square * square) / 400);
    EXPECT_NEAR(std::pow(scores.rmse.low, 2), square - 1.96 * deviation, 0.2 * deviation);
    EXPECT_NEAR(std::pow(scores.rmse.high, 2), square + 1.96 * deviation, 0.2 * deviation);
}

TEST(Scores, DependOnTheSeedAlone) {
    const ScoredWindows windows = with_errors({1, 2, 3, 5, 8, 13, 21});
    const Scores first = scores_of(windows, {200, 4}), again = scores_of(windows, {200, 4});
    EXPECT_EQ(first.rmse.low, again.rmse.low);
    EXPECT_EQ(first.rmse.high, again.rmse.high);
    const Scores other = scores_of(windows, {200, 5});
    EXPECT_NE(first.rmse.low, other.rmse.low);
    EXPECT_EQ(first.rmse.value, other.rmse.value);
}

TEST(Scores, ATargetThatDoesNotVaryHasNoR2) {
    const Scores scores = scores_of(windows_of({0.6F, 0.8F, 0.7F}, {0.7F, 0.7F, 0.7F}), {});
    EXPECT_TRUE(std::isnan(scores.targets[0].r2.value));
    EXPECT_TRUE(std::isnan(scores.targets[0].r2.low));
    EXPECT_NEAR(scores.rmse.value, std::sqrt(0.02 / 3), 1e-6);
    EXPECT_THROW((void)scores_of(windows_of({}, {}), {}), LogicError);
}

TEST(RmseRatio, OfANetworkToItselfIsOne) {
    const ScoredWindows windows = with_errors({1, 2, 3, 5, 8});
    const RmseRatio ratio = rmse_ratio(windows, windows, {});
    for (const Estimate& each : {ratio.all, ratio.targets[0]}) {
        EXPECT_EQ(each.value, 1);
        EXPECT_EQ(each.low, 1);
        EXPECT_EQ(each.high, 1);
    }
}

// What makes a window hard for both is no noise of the ratio, though it is of each RMSE.
TEST(RmseRatio, IsPaired) {
    const ScoredWindows half = with_errors({0.5F, 1, 2, 4, 8}),
                        whole = with_errors({1, 2, 4, 8, 16});
    const RmseRatio ratio = rmse_ratio(half, whole, {});
    EXPECT_NEAR(ratio.all.value, 0.5, 1e-6);
    EXPECT_NEAR(ratio.all.low, 0.5, 1e-6);
    EXPECT_NEAR(ratio.all.high, 0.5, 1e-6);
    const Scores of_one = scores_of(whole, {});
    EXPECT_GT(of_one.rmse.high / of_one.rmse.low, 2);
}

TEST(RmseRatio, ContainsOneWhenNeitherIsBetter) {
    const RmseRatio ratio = rmse_ratio(with_errors({1, 2, 1, 2, 1, 2, 1, 2}),
                                       with_errors({2, 1, 2, 1, 2, 1, 2, 1}), {});
    EXPECT_NEAR(ratio.all.value, 1, 1e-6);
    EXPECT_LT(ratio.all.low, 0.9);
    EXPECT_GT(ratio.all.high, 1.1);
}

TEST(RmseRatio, OfOtherWindowsIsRefused) {
    EXPECT_THROW((void)rmse_ratio(with_errors({1, 2}), with_errors({1, 2, 3}), {}), LogicError);
}

TEST(ErrorBins, AreThoseOfAWorkedExample) {
    // Targets of 0, 4, 14 and 96 um: bins of 10.
    const auto bins = bins_over(windows_of({0.1F, 0.7F, 1.4F, 9.0F}, {0, 0.4F, 1.4F, 9.6F}), 0);
    ASSERT_EQ(bins.size(), 3U);
    EXPECT_EQ(bins[0].from, 0);
    EXPECT_EQ(bins[0].to, 10);
    EXPECT_EQ(bins[0].windows, 2U);
    EXPECT_NEAR(bins[0].rmse[0], std::sqrt((1.0 + 9.0) / 2), 1e-5);
    EXPECT_NEAR(bins[0].bias[0], 2, 1e-5);
    EXPECT_EQ(bins[1].from, 10);
    EXPECT_EQ(bins[1].windows, 1U);
    EXPECT_EQ(bins[1].rmse[0], 0);
    EXPECT_EQ(bins[2].from, 90);
    EXPECT_NEAR(bins[2].bias[0], -6, 1e-5);
}

TEST(ErrorBins, HoldEveryWindowOnce) {
    ScoredWindows windows;
    windows.targets = raise_targets();
    for (std::size_t i = 0; i < 500; ++i) {
        windows.groups.push_back(i);
        for (const float value : {float(i) / 300 + 0.3F, float((i * 7) % 500) / 500 + 0.4F}) {
            windows.expected.push_back(value);
            windows.predicted.push_back(value + 0.01F);
        }
    }
    for (const std::size_t over : {0U, 1U}) {
        std::size_t count = 0;
        const auto bins = bins_over(windows, over);
        EXPECT_GE(bins.size(), 5U);
        EXPECT_LE(bins.size(), 11U);
        for (const ErrorBin& bin : bins) {
            EXPECT_LT(bin.from, bin.to);
            EXPECT_NEAR(bin.bias[0], 9, 1e-3);
            EXPECT_NEAR(bin.rmse[1], 2.15, 1e-3);
            count += bin.windows;
        }
        EXPECT_EQ(count, 500U);
    }
}

TEST(ErrorBins, OneValueIsOneBin) {
    EXPECT_EQ(bins_over(windows_of({1, 2}, {3, 3}), 0).size(), 1U);
    EXPECT_EQ(bins_over(windows_of({1}, {0}), 0).size(), 1U);
}

}  // namespace
}  // namespace edgeloop::scores_test
