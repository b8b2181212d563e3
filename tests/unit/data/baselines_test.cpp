#include "edgeloop/data/baselines.hpp"

#include "unit/data/support.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::baselines_test {
namespace {

Baseline find(const std::vector<Baseline>& all, const std::string& name) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Baseline& one) { return one.name == name; });
    EXPECT_NE(found, all.end()) << name;
    return *found;
}

/// Windows with random moments, of ten groups.
class BaselinesTest : public testing::Test {
  protected:
    /// @param targets_of  gives (speed, power) of a window.
    template <class TargetsOf>
    std::vector<WindowFacts> windows(std::size_t count, const TargetsOf& targets_of) {
        std::vector<WindowFacts> made;
        for (std::size_t i = 0; i < count; ++i) {
            WindowFacts window;
            window.group = i % 10;
            window.frames = 8;
            for (double& moment : window.moments) moment = random_.uniform(1, 3);
            const auto [speed, power] = targets_of(window);
            targets_.push_back({float(speed), float(power)});
            window.targets = targets_.back().data();
            made.push_back(window);
        }
        return made;
    }

    RandomStream random_{1, "baselines"};
    std::deque<std::array<float, 2>> targets_;  // stays where it is
};

TEST_F(BaselinesTest, FindsWhatIsThereAndNothingElse) {
    const auto truth = [&](const WindowFacts& w) {
        return std::pair(w.moments[0] * w.moments[2] + w.moments[4], random_.normal());
    };
    const auto train = windows(400, truth), held_out = windows(200, truth);
    const std::vector<Baseline> all = baselines(train, held_out, 2);
    EXPECT_GT(find(all, "five moments").r2[0], 0.98);
    EXPECT_LT(find(all, "five moments").r2[1], 0.05) << "noise cannot be predicted";
    EXPECT_GT(find(all, "five moments").r2[1], -0.2) << "and is hardly fitted";
    EXPECT_NEAR(find(all, "mean grey").r2[0], 0.4, 0.2);
    for (const char* name : {"frames in the window", "padded frames"})
        EXPECT_NEAR(find(all, name).r2[0], 0, 0.02) << name << " are constant";
    const Baseline mean = find(all, "mean of the training lines");
    EXPECT_NEAR(mean.r2[0], 0, 0.02);
    EXPECT_GT(mean.rmse, find(all, "five moments").rmse);
    EXPECT_EQ(best_of(all).name, "five moments");
    EXPECT_NEAR(best_of(all).training_rmse, best_of(all).rmse, 0.1);
}

TEST_F(BaselinesTest, ScoresAreThoseOfTheirDefinition) {
    const auto one = [](const WindowFacts&) { return std::pair(1.0, 2.0); };
    const auto other = [](const WindowFacts&) { return std::pair(4.0, 6.0); };
    const auto train = windows(10, one), held_out = windows(10, other);
    const Baseline mean = baselines(train, held_out, 2).front();
    EXPECT_NEAR(mean.target_rmse[0], 3, 1e-6);
    EXPECT_NEAR(mean.target_rmse[1], 4, 1e-6);
    EXPECT_NEAR(mean.rmse, std::sqrt((9 + 16) / 2.0), 1e-6);
    EXPECT_EQ(mean.r2[0], 0) << "targets that do not vary";
}

TEST_F(BaselinesTest, WhatIsNoBetterOnGroupsThatWereLeftOutIsNotTheBest) {
    const auto noise = [&](const WindowFacts&) {
        return std::pair(random_.normal(), random_.normal());
    };
    const auto train = windows(60, noise), held_out = windows(12, noise);
    const std::vector<Baseline> all = baselines(train, held_out, 2);
    EXPECT_LT(best_of(all).training_rmse, 1.3);
    for (const Baseline& baseline : all)
        EXPECT_GE(baseline.training_rmse, best_of(all).training_rmse) << baseline.name;
}

TEST_F(BaselinesTest, PaddingThatTellsIsFound) {
    const auto truth = [](WindowFacts w) { return std::pair(w.padded, 0.0); };
    auto train = windows(100, truth), held_out = windows(50, truth);
    std::size_t i = 0;
    for (auto* some : {&train, &held_out})
        for (WindowFacts& window : *some) {
            window.padded = double(i++ % 7);
            targets_.push_back({float(window.padded), float(random_.normal())});
            window.targets = targets_.back().data();
        }
    EXPECT_GT(find(baselines(train, held_out, 2), "padded frames").r2[0], 0.99);
}

/// An ellipse of Gaussian light on a grey ground.
std::vector<std::uint8_t> spot(double along, double across, double angle, double ground) {
    std::vector<std::uint8_t> image;
    for (int row = 0; row < crop_side; ++row)
        for (int column = 0; column < crop_side; ++column) {
            const double x = column - 20, y = row - 20;
            const double u = x * std::cos(angle) + y * std::sin(angle);
            const double v = y * std::cos(angle) - x * std::sin(angle);
            image.push_back(static_cast<std::uint8_t>(
                ground +
                200 * std::exp(-u * u / (2 * along * along) - v * v / (2 * across * across)) +
                0.5));
        }
    return image;
}

TEST(Moments, AreThoseOfTheLightWhateverItsDirectionAndGround) {
    for (const double angle : {0.0, 0.7, 2.0})
        for (const double ground : {0.0, 20.0}) {
            const std::array<double, 5> moments = moments_of(spot(5, 2.5, angle, ground).data(), 1);
            EXPECT_NEAR(moments[0], 200 * 2 * 3.14159265 * 5 * 2.5 / crop_pixels, 0.3);
            EXPECT_NEAR(moments[1], 200, 1);
            EXPECT_NEAR(moments[2], 5, 0.2);
            EXPECT_NEAR(moments[3], 2.5, 0.2);
            EXPECT_NEAR(moments[4], 0, 0.1) << "symmetric";
        }
}

TEST(Moments, ABlackImageHasNone) {
    const std::vector<std::uint8_t> black(3 * crop_pixels);
    EXPECT_EQ(moments_of(black.data(), 3), (std::array<double, 5>{}));
}

TEST(DatasetBaselines, TheMeanAloneIsThatOfAllBaselines) {
    const test::TemporaryFolder folder;
    (void)test::small_shards(folder);
    const Dataset dataset(folder.path("shards"));
    const WindowRule rule = WindowRule::published(4, 1);
    const Baseline mean = mean_baseline(dataset, rule);
    const Baseline first = baselines(dataset, rule).front();
    EXPECT_GT(mean.rmse, 0);
    EXPECT_EQ(mean.rmse, first.rmse);
    EXPECT_EQ(mean.target_rmse, first.target_rmse);
    EXPECT_THROW((void)mean_baseline(dataset, {4, 1000, 0, ShortLines::skip, 100000}), ConfigError);
}

}  // namespace
}  // namespace edgeloop::baselines_test
