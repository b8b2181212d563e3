// Whether the interval of the median holds what it promises, and when it does not know.
#include "support/timed_work.hpp"

#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <cmath>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

namespace edgeloop::median_interval_test {
namespace {

/// How long a run takes that begins at a time, in units of the long-run median.
using Jitter = std::function<double(double seconds)>;
using MakeJitter = std::function<Jitter(RandomStream& random)>;

MakeJitter white(double deviation) {
    return [=](RandomStream& random) {
        return [=, &random](double) { return std::exp(deviation * random.normal()); };
    };
}

/// Forgets itself over `memory_s`.
MakeJitter with_memory(double deviation, double memory_s) {
    return [=](RandomStream& random) {
        return [=, &random, state = random.normal(), last = 0.0](double now) mutable {
            const double kept = std::exp(-(now - last) / memory_s);
            last = now;
            state = kept * state + std::sqrt(1 - kept * kept) * random.normal();
            return std::exp(deviation * state);
        };
    };
}

/// `often` of the runs take 1, the others `other`.
MakeJitter two_modes(double often, double other) {
    return [=](RandomStream& random) {
        return [=, &random](double) { return random.uniform() < often ? 1.0 : other; };
    };
}

/// A clock that goes up and down once in `period_s`, and a little noise.
MakeJitter slow_drift(double height, double period_s) {
    return [=](RandomStream& random) {
        return [=, &random, phase = random.uniform()](double now) {
            return (1 + height * std::sin(2 * pi * (phase + now / period_s))) *
                   std::exp(0.003 * random.normal());
        };
    };
}

struct Case {
    const char* name;
    MakeJitter make;
    double run_ms = 1;
    double min_seconds = 0.3;
};
// For messages of GoogleTest.
std::ostream& operator<<(std::ostream& out, const Case& some) { return out << some.name; }

class Coverage : public testing::TestWithParam<Case> {};

TEST_P(Coverage, TheIntervalHasTheLongRunMedianIn93Of100) {
    const Case& some = GetParam();
    int holds = 0;
    for (std::uint32_t repeat = 0; repeat < 100; ++repeat) {
        RandomStream random(repeat, "jitter");
        const Jitter jitter = some.make(random);
        std::int64_t now_ns = 0;
        TimingPlan plan;
        plan.min_seconds = some.min_seconds;
        const Timing timing = time_runs(
            {[&] { now_ns += std::llround(1e6 * some.run_ms * jitter(1e-9 * double(now_ns))); }},
            plan, [&] { return now_ns; });
        const auto interval = median_interval(timing.samples_ms());
        ASSERT_TRUE(interval);
        constexpr double rounded = 1e-5;
        holds += interval->low <= some.run_ms * (1 + rounded) &&
                         some.run_ms * (1 - rounded) <= interval->high
                     ? 1
                     : 0;
    }
    EXPECT_GE(holds, 93);
}

INSTANTIATE_TEST_SUITE_P(
    Jitter, Coverage,
    testing::Values(Case{"white, 1 %", white(0.01)}, Case{"white, 30 %", white(0.3)},
                    Case{"white, slow network", white(0.01), 150},
                    Case{"memory of 10 ms", with_memory(0.02, 0.01)},
                    Case{"memory of 100 ms", with_memory(0.01, 0.1)},
                    Case{"memory of 1 s", with_memory(0.01, 1), 5},
                    Case{"two modes", two_modes(0.6, 1.5)},
                    Case{"two modes, nearly equally often", two_modes(0.55, 1.1)},
                    Case{"two modes, slow network", two_modes(0.7, 1.2), 100},
                    Case{"drift in a second", slow_drift(0.03, 1), 2},
                    // What looks steady for 0.3 s has to be watched for longer.
                    Case{"drift in five seconds", slow_drift(0.03, 5), 5, 3}));

TEST(MedianInterval, IndependentValuesHaveTheRanksOfTheBinomialDistribution) {
    const auto interval_of = [](std::size_t n) {
        std::vector<double> values(n);
        std::iota(values.begin(), values.end(), 1);
        RandomStream(n, "order").shuffle(values);
        return median_interval(values);
    };
    EXPECT_FALSE(interval_of(5));
    // Tables of the sign test, 5 % two-sided.
    const std::pair<std::size_t, std::pair<int, int>> table[] = {
        {6, {1, 6}}, {8, {1, 8}}, {9, {2, 8}}, {12, {3, 10}}, {15, {4, 12}}};
    for (const auto& [n, bounds] : table) {
        const auto interval = interval_of(n);
        ASSERT_TRUE(interval);
        EXPECT_EQ(interval->low, bounds.first) << n;
        EXPECT_EQ(interval->high, bounds.second) << n;
        EXPECT_EQ(interval->independent, double(n));
    }
}

TEST(MedianInterval, ADriftThatWasNotSeenTurningSaysSo) {
    std::vector<double> rising(1000);
    std::iota(rising.begin(), rising.end(), 1000);
    const auto interval = median_interval(rising);
    ASSERT_TRUE(interval);
    EXPECT_TRUE(interval->watched_too_short);
    EXPECT_LT(interval->low, 1000);
    EXPECT_GT(interval->high, 2000);
}

TEST(MedianInterval, EqualValuesAreIndependent) {
    const auto interval = median_interval(std::vector<double>(100, 2.5));
    ASSERT_TRUE(interval);
    EXPECT_EQ(interval->low, 2.5);
    EXPECT_EQ(interval->high, 2.5);
    EXPECT_FALSE(interval->watched_too_short);
}

}  // namespace
}  // namespace edgeloop::median_interval_test
