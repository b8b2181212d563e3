#include "median_interval.hpp"
#include "support/timed_work.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::harness_test {
namespace {

/// A network whose runs last as programmed, on a clock that only they move.
class Programmed {
  public:
    explicit Programmed(std::function<double(std::size_t)> duration_ms)
        : duration_ms_(std::move(duration_ms)) {}
    void run() { now_ns_ += std::llround(duration_ms_(runs_++) * 1e6); }
    [[nodiscard]] Timing time(const TimingPlan& plan) {
        return time_runs({[this] { run(); }}, plan, [this] { return now_ns_; });
    }
    [[nodiscard]] double seconds() const { return static_cast<double>(now_ns_) * 1e-9; }

  private:
    std::function<double(std::size_t)> duration_ms_;
    std::size_t runs_ = 0;
    std::int64_t now_ns_ = 0;
};

TEST(Harness, AConstantDurationIsReportedExactly) {
    const Timing timing = Programmed([](std::size_t) { return 2.5; }).time(TimingPlan{});
    const Summary summary = summarise(timing.samples_ms());
    EXPECT_EQ(summary.n, TimingPlan().min_samples);
    EXPECT_DOUBLE_EQ(summary.median_ms, 2.5);
    EXPECT_DOUBLE_EQ(summary.iqr_ms, 0);
    EXPECT_TRUE(timing.warmed_up);
    EXPECT_TRUE(timing.shortcomings.empty());
    EXPECT_FALSE(summary.p99_ms);
}

TEST(Harness, TheWarmUpIsNotPartOfTheSamples) {
    // 40 slow runs that get faster, then steady.
    const auto duration = [](std::size_t i) { return i < 40 ? 100.0 * std::pow(0.9, i) : 1.0; };
    const Timing timing = Programmed(duration).time(TimingPlan{});
    EXPECT_GE(timing.warm_up_runs, 40u);
    EXPECT_GE(timing.warm_up_s, 0.9);
    EXPECT_TRUE(timing.warmed_up);
    for (const double sample : timing.samples_ms()) EXPECT_DOUBLE_EQ(sample, 1.0);
}

TEST(Harness, TheWarmUpLastsUntilAClockCanHaveRisen) {
    // Steady from the first run on, but twice as fast after a tenth of a second.
    Programmed network([&](std::size_t i) { return i < 1000 ? 0.1 : 0.05; });
    const Timing timing = network.time(TimingPlan{});
    EXPECT_GE(timing.warm_up_s, 0.2);
    EXPECT_LT(timing.warm_up_s, 0.25);
    EXPECT_DOUBLE_EQ(summarise(timing.runs_ms).max_ms, 0.05);
    TimingPlan small;
    small.time_budget_s = 0.1;
    Programmed again([](std::size_t) { return 0.1; });
    EXPECT_NEAR(again.time(small).warm_up_s, 0.025, 0.001)
        << "no more than a quarter of the budget";
}

TEST(Harness, AMedianThatIsNotKnownUsesTheWholeBudgetAndSaysWhy) {
    TimingPlan plan;
    plan.time_budget_s = 1;
    plan.min_seconds = 0.3;
    Programmed halves([](std::size_t i) { return i / 30 % 2 == 0 ? 1.0 : 3.0; });
    const Timing timing = halves.time(plan);
    EXPECT_NEAR(halves.seconds(), 1, 0.01);
    ASSERT_EQ(timing.shortcomings.size(), 1u);
    EXPECT_NE(timing.shortcomings[0].find("% wide, and 5 % are asked for"), std::string::npos)
        << timing.shortcomings[0];
}

TEST(Harness, ASlowSteadyNetworkIsKnownFromFewRuns) {
    // 150 ms that spread by half a per cent.
    RandomStream random(1, "slow");
    const auto duration = [&](std::size_t) { return 150 * (1 + 0.005 * random.normal()); };
    const Timing timing = Programmed(duration).time(TimingPlan{});
    EXPECT_TRUE(timing.shortcomings.empty()) << timing.shortcomings[0];
    EXPECT_LT(timing.runs_ms.size(), 64u);
    const auto interval = median_interval(timing.samples_ms());
    ASSERT_TRUE(interval);
    EXPECT_LT(interval->high - interval->low, 0.02 * 150);
}

TEST(Harness, ASpreadOfTheRunsIsNoDoubtAboutTheMedianOfMany) {
    RandomStream random(2, "wide");
    const auto duration = [&](std::size_t) { return std::exp(0.2 * random.normal()); };
    const Timing timing = Programmed(duration).time(TimingPlan{});
    const Summary summary = summarise(timing.samples_ms());
    EXPECT_GT(summary.iqr_ms, 0.2);
    EXPECT_TRUE(timing.shortcomings.empty()) << timing.shortcomings[0];
    EXPECT_NEAR(summary.median_ms, 1, 0.05);
}

TEST(Harness, ANetworkSlowerThanTheBudgetStillGetsAFewRuns) {
    TimingPlan plan;
    plan.time_budget_s = 0.1;
    const Timing timing = Programmed([](std::size_t) { return 500.0; }).time(plan);
    EXPECT_EQ(timing.runs_ms.size(), plan.fewest_samples);
    EXPECT_TRUE(timing.shortcomings.empty()) << "they are all alike";
    EXPECT_DOUBLE_EQ(summarise(timing.samples_ms()).median_ms, 500);
}

/// A network on a core whose neighbour computes in the given stretches of time: runs last 1 ms
/// alone and 1.6 ms beside it.
class Shared {
  public:
    explicit Shared(std::function<bool(double seconds)> neighbour)
        : neighbour_(std::move(neighbour)) {}
    [[nodiscard]] Timing time(const TimingPlan& plan) {
        return time_runs(
            {[this] { now_ns_ += neighbour_now() ? 1'600'000 : 1'000'000; }}, plan,
            [this] { return now_ns_; }, [this] { return neighbour_now() ? 0 : 1; });
    }
    [[nodiscard]] double seconds() const { return static_cast<double>(now_ns_) * 1e-9; }

  private:
    [[nodiscard]] bool neighbour_now() const { return neighbour_(seconds()); }

    std::function<bool(double)> neighbour_;
    std::int64_t now_ns_ = 0;
};

TEST(Harness, OnlyRunsBetweenTwoGoodLooksAreSamples) {
    TimingPlan plan;
    plan.time_budget_s = 10;
    plan.min_seconds = 1;
    // Three quarters of the time are lost.
    Shared network([](double s) { return std::fmod(s, 0.4) < 0.3; });
    const Timing timing = network.time(plan);
    EXPECT_TRUE(timing.shortcomings.empty());
    const Summary summary = summarise(timing.samples_ms());
    EXPECT_DOUBLE_EQ(summary.median_ms, 1);
    EXPECT_DOUBLE_EQ(summary.max_ms, 1);
    EXPECT_GE(summary.n, 1000u);
    EXPECT_DOUBLE_EQ(summarise(timing.runs_ms).p90_ms, 1.6) << "an application sees them, too";
    EXPECT_GT(timing.runs_ms.size(), 2 * summary.n);
    EXPECT_NEAR(timing.disturbed_seconds / timing.seconds, 0.75, 0.05);
}

TEST(Harness, TimeLostToANeighbourIsAddedUpToALimit) {
    TimingPlan plan;
    plan.time_budget_s = 1;
    plan.min_seconds = 0.5;
    plan.max_s = 3;
    // Quiet only after the budget.
    Shared late([](double s) { return s < 1.8; });
    const Timing waited = late.time(plan);
    EXPECT_TRUE(waited.shortcomings.empty());
    EXPECT_DOUBLE_EQ(summarise(waited.samples_ms()).median_ms, 1);
    EXPECT_NEAR(late.seconds(), 2.3, 0.1);

    Shared never([](double) { return true; });
    const Timing lost = never.time(plan);
    EXPECT_FALSE(lost.shortcomings.empty()) << "little spread, but never alone";
    EXPECT_DOUBLE_EQ(summarise(lost.samples_ms()).median_ms, 1.6);
    EXPECT_DOUBLE_EQ(lost.disturbed_seconds, lost.seconds);
    EXPECT_TRUE(lost.undisturbed.empty());
    EXPECT_EQ(lost.shortcomings, std::vector<std::string>{"no run had the core to itself"});
    EXPECT_NEAR(never.seconds(), 3, 0.1);

    plan.max_s = 0;
    Shared impatient([](double) { return true; });
    EXPECT_FALSE(impatient.time(plan).shortcomings.empty());
    EXPECT_NEAR(impatient.seconds(), 1, 0.1);
}

TEST(Harness, RunsAtALowerClockAreNoSamplesAndARareHigherOneDoesNotCount) {
    // Runs of 2.4 million cycles; GHz by time: 2.4, sometimes 2.3, seldom 2.8.
    std::int64_t now_ns = 0;
    const auto ghz = [&] {
        const double phase = std::fmod(static_cast<double>(now_ns) * 1e-9, 1.0);
        return phase < 0.04 ? 2.8 : phase < 0.5 ? 2.3 : 2.4;
    };
    TimingPlan plan;
    plan.min_seconds = 2;
    plan.max_s = 30;
    const Timing timing = time_runs(
        {[&] { now_ns += std::llround(2.4e6 / ghz()); }}, plan, [&] { return now_ns; },
        [&] { return 1000 * ghz(); });
    EXPECT_TRUE(timing.shortcomings.empty());
    const Summary summary = summarise(timing.samples_ms());
    EXPECT_NEAR(summary.median_ms, 1, 1e-6);
    EXPECT_NEAR(summary.p90_ms, 1, 1e-6);
    EXPECT_LT(summary.min_ms, 0.9) << "the rare clock's runs are samples, too";
    EXPECT_NEAR(timing.disturbed_seconds / timing.seconds, 0.46, 0.05);
}

TEST(Harness, ABudgetIsKeptWithAndWithoutQuestions) {
    TimingPlan plan;
    plan.time_budget_s = 1;
    plan.spread = 0;  // never known well enough: runs differ
    for (const bool asked : {false, true}) {
        std::int64_t now_ns = 0;
        int i = 0;
        const Timing timing = time_runs(
            {[&] { now_ns += ++i % 2 == 0 ? 200'000 : 300'000; }}, plan, [&] { return now_ns; },
            asked ? std::function<double()>([] { return 1.0; }) : std::function<double()>());
        EXPECT_FALSE(timing.shortcomings.empty());
        EXPECT_NEAR(static_cast<double>(now_ns) * 1e-9, 1, 0.01);
        EXPECT_EQ(timing.undisturbed.size(), timing.runs_ms.size());
    }
}

TEST(Harness, SamplesCoverTheTimeAskedFor) {
    TimingPlan plan;
    plan.min_seconds = 2;
    Programmed steady([](std::size_t) { return 1.0; });
    EXPECT_GE(steady.time(plan).samples_ms().size(), 2000u);
    // Never more than the budget for it.
    plan.time_budget_s = 1;
    EXPECT_LE(steady.time(plan).samples_ms().size(), 1000u);
}

TEST(Harness, QuantilesInterpolateAndP99NeedsEnoughSamples) {
    std::vector<double> samples;
    for (int i = 0; i <= 660; ++i) samples.push_back(i);
    EXPECT_FALSE(summarise(samples).p99_ms);
    samples.push_back(661);
    const Summary summary = summarise(samples);
    EXPECT_DOUBLE_EQ(summary.median_ms, 330.5);
    EXPECT_DOUBLE_EQ(summary.p90_ms, 0.9 * 661);
    EXPECT_DOUBLE_EQ(summary.iqr_ms, 0.5 * 661);
    ASSERT_TRUE(summary.p99_ms);
    EXPECT_DOUBLE_EQ(*summary.p99_ms, 0.99 * 661);
    EXPECT_DOUBLE_EQ(summarise({7}).p90_ms, 7);
}

Timing timing_of(std::vector<double> runs_ms, std::vector<std::size_t> undisturbed = {}) {
    Timing timing;
    timing.runs_ms = std::move(runs_ms);
    timing.undisturbed = std::move(undisturbed);
    return timing;
}

TEST(Harness, MetricNamesCarryTheBatchSize) {
    Metrics metrics;
    add_latency_metrics(timing_of({1, 2, 3}), true, 1, metrics);
    add_latency_metrics(timing_of({4, 5, 6, 7, 8, 9}), false, 8, metrics);
    EXPECT_DOUBLE_EQ(metrics.at("latency_ms"), 2);
    EXPECT_DOUBLE_EQ(metrics.at("latency_valid"), 1);
    EXPECT_EQ(metrics.count("latency_low_ms"), 0u) << "three say nothing about the median";
    EXPECT_DOUBLE_EQ(metrics.at("latency_b8_ms"), 6.5);
    EXPECT_DOUBLE_EQ(metrics.at("latency_b8_low_ms"), 4);
    EXPECT_DOUBLE_EQ(metrics.at("latency_b8_high_ms"), 9);
    EXPECT_DOUBLE_EQ(metrics.at("latency_b8_valid"), 0);
    EXPECT_EQ(metrics.count("latency_p99_ms"), 0u);
    EXPECT_EQ(metrics.count("pipeline_ms"), 0u);
}

TEST(Harness, TheIntervalOfRunsThatHangTogetherDoesNotReachBelowZero) {
    std::vector<double> runs(48, 1.0);
    std::fill(runs.begin() + 24, runs.end(), 30.0);
    ASSERT_LT(median_interval(runs)->low, 0);
    Metrics metrics;
    add_latency_metrics(timing_of(runs), false, 1, metrics);
    EXPECT_EQ(metrics.at("latency_low_ms"), 0);
    EXPECT_GE(metrics.at("latency_high_ms"), 30);
}

TEST(Harness, TheMiddleIsOfUndisturbedRunsAndTheTailOfAll) {
    Metrics metrics;
    add_latency_metrics(timing_of({9, 1, 8, 2, 3}, {1, 3, 4}), true, 1, metrics);
    EXPECT_DOUBLE_EQ(metrics.at("latency_ms"), 2);
    EXPECT_DOUBLE_EQ(metrics.at("latency_samples"), 3);
    EXPECT_DOUBLE_EQ(metrics.at("latency_min_ms"), 1);
    EXPECT_DOUBLE_EQ(metrics.at("latency_max_ms"), 9);
    EXPECT_GT(metrics.at("latency_p90_ms"), 8);
    metrics.clear();
    add_latency_metrics(timing_of({9, 1, 8}), false, 1, metrics);
    EXPECT_DOUBLE_EQ(metrics.at("latency_ms"), 8) << "of all when none was undisturbed";
}

TEST(Harness, WhatComesBeforeARunIsTimedForItselfAndWithIt) {
    std::int64_t now_ns = 0;
    int prepared = 0, ran = 0;
    const Timing timing = time_runs({[&] {
                                         EXPECT_EQ(++ran, prepared);
                                         now_ns += 2'000'000;
                                     },
                                     [&] {
                                         ++prepared;
                                         now_ns += 500'000;
                                     }},
                                    TimingPlan{}, [&] { return now_ns; });
    EXPECT_TRUE(timing.shortcomings.empty());
    Metrics metrics;
    add_latency_metrics(timing, true, 1, metrics);
    EXPECT_DOUBLE_EQ(metrics.at("latency_ms"), 2);
    EXPECT_DOUBLE_EQ(metrics.at("preprocess_ms"), 0.5);
    EXPECT_DOUBLE_EQ(metrics.at("pipeline_ms"), 2.5);
}

TEST(Harness, APreparationThatIsNotKnownMakesTheWholeNotKnown) {
    std::int64_t now_ns = 0;
    int i = 0;
    TimingPlan plan;
    plan.time_budget_s = 1;
    plan.min_seconds = 0.3;
    const Timing timing = time_runs({[&] { now_ns += 1'000'000; },
                                     [&] { now_ns += ++i / 30 % 2 == 0 ? 1'000'000 : 2'000'000; }},
                                    plan, [&] { return now_ns; });
    ASSERT_EQ(timing.shortcomings.size(), 1u);
    EXPECT_NE(timing.shortcomings[0].find("with preprocessing"), std::string::npos);
}

TEST(Harness, ANullNetworkCostsNextToNothing) {
    // Bounds the harness's own cost on the real clock; generous, because machines are noisy.
    const Timing timing = time_runs({[] {}}, TimingPlan{});
    EXPECT_LT(summarise(timing.samples_ms()).median_ms, 0.02);
}

}  // namespace
}  // namespace edgeloop::harness_test
