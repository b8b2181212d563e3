#include "apps/data/process.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop::process_test {
namespace {

constexpr int side = 64;

TEST(Hatch, LinesGoBackAndForthAndTurnBy67DegreesALayer) {
    double before = 0;
    for (std::uint32_t layer = 0; layer < 4; ++layer) {
        const std::vector<HatchLine> lines = hatch_layer(1, 0, layer, 5);
        ASSERT_GT(lines.size(), 20U);
        for (const HatchLine& line : lines) {
            EXPECT_EQ(line.direction(), line.row % 2 == 0 ? 1 : -1);
            EXPECT_NEAR(std::cos(line.angle_rad - lines[0].angle_rad),
                        line.direction() * lines[0].direction(), 1e-9);
        }
        if (layer > 0) {
            const double turned = std::remainder(lines[0].angle_rad - before - 67 * pi / 180, pi);
            EXPECT_NEAR(turned, 0, 1e-9);
        }
        before = lines[0].angle_rad;
    }
}

TEST(Hatch, LinesOfARowDoNotOverlapAndFollowTheScan) {
    bool several = false;
    for (std::uint32_t object = 0; object < 20; ++object) {
        const std::vector<HatchLine> lines = hatch_layer(3, object, 0, 5);
        for (std::size_t i = 1; i < lines.size(); ++i) {
            if (lines[i].row != lines[i - 1].row) continue;
            several = true;
            EXPECT_GT((lines[i].from_mm - lines[i - 1].to_mm) * lines[i].direction(), 0);
        }
    }
    EXPECT_TRUE(several) << "no part with a hole";
}

TEST(Hatch, PartsDifferInLengthOfLines) {
    std::vector<double> lengths;
    for (std::uint32_t object = 0; object < 8; ++object)
        for (std::uint32_t layer = 0; layer < 4; ++layer)
            for (const HatchLine& line : hatch_layer(1, object, layer, 5))
                lengths.push_back(line.length_mm());
    std::sort(lengths.begin(), lengths.end());
    EXPECT_GT(lengths[lengths.size() * 9 / 10], 2 * lengths[lengths.size() / 10]);
    EXPECT_LT(lengths.back(), 5 * 2.5);
}

/// Pearson's r.
double correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const auto n = double(a.size());
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        x += a[i] / n;
        y += b[i] / n;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        xx += (a[i] - x) * (a[i] - x);
        yy += (b[i] - y) * (b[i] - y);
        xy += (a[i] - x) * (b[i] - y);
    }
    return xy / std::sqrt(xx * yy);
}

TEST(Process, LengthsSayNothingOfSpeedAndPower) {
    std::vector<double> length, speed, power;
    for (std::uint32_t object = 0; object < 8; ++object)
        for (std::uint32_t layer = 0; layer < 10; ++layer)
            for (const ProcessLine& line : plan_layer(5, object, layer, 5, 1)) {
                length.push_back(line.hatch.length_mm());
                speed.push_back(line.laser.speed_mm_s);
                power.push_back(line.laser.power_w);
                EXPECT_NEAR(double(line.frames), line.duration_s() * 20000, 1);
            }
    ASSERT_GT(length.size(), 2000U);  // standard error of r: 0.022 at most
    EXPECT_LT(std::abs(correlation(length, speed)), 0.09);
    EXPECT_LT(std::abs(correlation(length, power)), 0.09);
    EXPECT_LT(std::abs(correlation(speed, power)), 0.09);
}

TEST(Process, APlanHasAsManyLinesAsAreWanted) {
    const std::vector<ProcessLine> few = plan_layer(1, 0, 0, 2, 1),
                                   many = plan_layer(1, 0, 0, 2, 200);
    ASSERT_LT(few.size(), 60U);
    ASSERT_GE(many.size(), 200U);
    for (std::size_t i = 0; i < few.size(); ++i) {
        EXPECT_EQ(few[i].laser.speed_mm_s, many[i].laser.speed_mm_s);
        EXPECT_EQ(few[i].begin_s, many[i].begin_s);
    }
    EXPECT_NE(many[few.size()].laser.speed_mm_s, many[0].laser.speed_mm_s);
}

/// Two rows of 4 mm at 1000 mm/s and 200 W, the second scanned backwards.
std::vector<ProcessLine> two_rows() {
    ProcessLine first, second;
    first.hatch = {0, 0, 4, 0};
    second.hatch = {1, 4, 0, pi};
    first.laser = second.laser = {1000, 200};
    second.begin_s = 4.5e-3;
    first.frames = second.frames = 80;
    return {first, second};
}

TEST(Process, NeighboursLeaveTheHeatOfALineSource) {
    const std::vector<ProcessLine> lines = two_rows();
    EXPECT_EQ(heat_left(lines, 0, 0.35, 2, 0, 1e-3), 0) << "nothing was scanned before it";
    // 1 mm into the second row: the first passed there, at 3 mm, 2.5 ms ago.
    const double now = 5.5e-3, age = 2.5e-3, alpha = 28.0 / (7700 * 600);
    const double expected = 0.35 * 200 / (2 * pi * 28 * age) * std::exp(-1e-8 / (4 * alpha * age));
    EXPECT_NEAR(heat_left(lines, 1, 0.35, 3, 0, now), expected, 1e-6 * expected);
    EXPECT_GT(heat_left(lines, 1, 0.35, 3, 0.1, now), heat_left(lines, 1, 0.35, 3, -0.1, now))
        << "scanned backwards, the row before lies to the left";
    EXPECT_GT(heat_left(lines, 1, 0.35, 3.9, 0, 4.6e-3), 2 * expected) << "a short return is hot";
    EXPECT_EQ(heat_left(lines, 1, 0.35, 4.5, 0, now), 0) << "beyond its end";
}

TEST(Process, LargePoolsSwingSlowly) {
    EXPECT_LT(pool_frequency({800, 300}, 0.35), pool_frequency({800, 150}, 0.35));
    EXPECT_LT(pool_frequency({400, 200}, 0.35), pool_frequency({1400, 200}, 0.35));
    for (const double speed : {300.0, 1500.0})
        for (const double power : {100.0, 350.0}) {
            EXPECT_GT(pool_frequency({speed, power}, 0.35), 1000);
            EXPECT_LT(pool_frequency({speed, power}, 0.35), 20000);
        }
}

std::vector<std::uint8_t> drawn(const Effects& effects, std::size_t line = 1,
                                const LaserParameters& laser = {1000, 200}) {
    std::vector<ProcessLine> lines = two_rows();
    for (ProcessLine& one : lines) one.laser = laser;
    std::vector<std::uint8_t> frames(lines[line].frames * side * side);
    ProcessCamera(side, side, 1, effects)
        .draw_line(lines, line, layer_conditions(1, 0, 0, effects, {}), RandomStream(1, "test"),
                   frames.data());
    return frames;
}

TEST(Process, EachEffectShows) {
    const std::vector<std::uint8_t> all = drawn(all_effects());
    for (const Effect left_out : all_effects()) {
        Effects effects = all_effects();
        effects.erase(left_out);
        EXPECT_NE(drawn(effects), all) << int(left_out);
    }
    EXPECT_EQ(drawn(all_effects()), all);
}

TEST(Process, WithoutEffectsAllObjectsLookAlike) {
    const LayerConditions a = layer_conditions(1, 0, 0, {}, {}),
                          b = layer_conditions(1, 7, 0, {}, {});
    EXPECT_EQ(a.machine.gain, b.machine.gain);
    EXPECT_EQ(a.machine.blur_px, b.machine.blur_px);
    EXPECT_EQ(a.machine.source_row, b.machine.source_row);
    EXPECT_EQ(a.vignetting, 0);
}

TEST(Process, DriftsLieBetweenTheirQuantiles) {
    for (std::uint32_t object = 0; object < 30; ++object) {
        // Layers add a little of their own.
        EXPECT_LT(layer_conditions(1, object, 0, {Effect::emissivity}, {0, 0.2}).machine.gain, 1.1);
        EXPECT_GT(layer_conditions(1, object, 0, {Effect::emissivity}, {0.8, 1}).machine.gain, 0.9);
    }
}

TEST(Process, EffectsAreNamed) {
    EXPECT_EQ(effects_from({"all"}), all_effects());
    EXPECT_EQ(effects_from({"none"}), Effects());
    EXPECT_EQ(effects_from({"plume", "dead-pixels"}),
              (Effects{Effect::plume, Effect::dead_pixels}));
    EXPECT_THROW((void)effects_from({"smoke"}), ConfigError);
    const std::string names = effect_names();
    EXPECT_EQ(std::count(names.begin(), names.end(), ' ') + 1,
              std::ptrdiff_t(all_effects().size()));
}

/// By how many pixels what lies behind the pool moves backwards in a frame: the shift at which
/// two frames, less the mean frame, are most alike.
int shift_behind(double speed_mm_s) {
    const std::size_t pixels = std::size_t(side) * side;
    const std::vector<std::uint8_t> frames =
        drawn({Effect::surface, Effect::saturation}, 0, {speed_mm_s, 300});
    std::vector<double> mean(pixels);
    for (std::size_t i = 0; i < frames.size(); ++i) mean[i % pixels] += frames[i] / 80.0;
    std::map<double, int> by_likeness;
    for (int shift = 0; shift < 12; ++shift) {
        double likeness = 0;
        int count = 0;
        for (std::size_t frame = 10; frame < 70; ++frame)
            for (int row = 28; row < 36; ++row)
                for (int column = 12; column < 26; ++column) {  // scanned to the right
                    const auto at = [&](std::size_t f, int c) {
                        const std::size_t p = std::size_t(row * side + c);
                        return frames[f * pixels + p] - mean[p];
                    };
                    if (column - shift < 0) continue;
                    likeness += at(frame, column) * at(frame + 1, column - shift);
                    ++count;
                }
        by_likeness[likeness / count] = shift;
    }
    return by_likeness.rbegin()->second;
}

TEST(Process, SpotsOnTheTrackTravelAtTheSpeedOfTheScan) {
    EXPECT_NEAR(shift_behind(400), 2, 1);   // 20 um a frame
    EXPECT_NEAR(shift_behind(1000), 5, 1);  // 50 um
}

}  // namespace
}  // namespace edgeloop::process_test
