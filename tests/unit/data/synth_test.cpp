#include "apps/data/synth.hpp"

#include "apps/data/melt_pool.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/data/recording.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <numeric>

#include <gtest/gtest.h>

namespace edgeloop::synth_test {
namespace {

TEST(Synth, SameSeedSameBytesForAnyNumberOfThreads) {
    const test::TemporaryFolder folder;
    SynthOptions options = test::small_synth(folder.path("a"));
    options.threads = 1;
    const std::vector<std::string> first = synthesise(options);
    options.output = folder.path("b");
    options.threads = 5;
    const std::vector<std::string> second = synthesise(options);
    ASSERT_EQ(first.size(), 2U);
    for (std::size_t i = 0; i < first.size(); ++i)
        EXPECT_EQ(read_file(first[i]), read_file(second[i]));
    options.seed = 4;
    EXPECT_NE(read_file(synthesise(options)[0]), read_file(first[0]));
}

TEST(Synth, WritesBothLayouts) {
    const test::TemporaryFolder folder;
    SynthOptions options = test::small_synth(folder.path("new"));
    const auto new_layout = open_recording(synthesise(options).at(1));
    EXPECT_EQ(new_layout->layout(), "v1.1");
    EXPECT_EQ(new_layout->groups().at(2).object, "C028");
    EXPECT_EQ(new_layout->groups().at(2).path, "/layer0002");
    options.layout = RaiseLayout::v1_0;
    options.output = folder.path("old");
    options.objects = 5;
    const std::vector<std::string> files = synthesise(options);
    ASSERT_EQ(files.size(), 2U);
    const auto train = open_recording(files[0]), test_file = open_recording(files[1]);
    EXPECT_EQ(train->groups().size(), 4U * 5U);
    EXPECT_EQ(train->groups()[0].path, "/C027/layer0000");
    EXPECT_EQ(test_file->groups().size(), 5U);
    EXPECT_EQ(test_file->groups()[0].object, "C031");
}

TEST(Synth, FramesFollowFromLengthAndSpeed) {
    const test::TemporaryFolder folder;
    const SynthOptions options = test::small_synth(folder.path("raise"));
    const auto file = open_recording(synthesise(options)[0]);
    ASSERT_EQ(file->layers().size(), 5U);
    for (const LayerInfo& layer : file->layers()) {
        ASSERT_TRUE(layer.labelled);
        const LineIndex index = file->line_index(layer);
        const auto labels = file->labels(layer);
        ASSERT_EQ(index.lines(), 7U);
        for (std::size_t line = 0; line < index.lines(); ++line) {
            const double speed_mm_s = labels[2 * line], power_w = labels[2 * line + 1];
            EXPECT_GE(speed_mm_s, 300);
            EXPECT_LT(speed_mm_s, 1500);
            EXPECT_GE(power_w, 100);
            EXPECT_LT(power_w, 350);
            EXPECT_NEAR(double(index.frames_of(line)), options.line_length_mm / speed_mm_s * 20000,
                        1);
        }
    }
}

TEST(Synth, SpeedAndPowerAreIndependent) {
    const test::TemporaryFolder folder;
    SynthOptions options = test::small_synth(folder.path("raise"));
    options.height = options.width = 8;
    options.objects = 1;
    options.lines = 400;
    options.line_length_mm = 0.1;
    const auto file = open_recording(synthesise(options)[0]);
    std::vector<double> all;
    for (const LayerInfo& layer : file->layers())
        for (const double value : file->labels(layer)) all.push_back(value);
    double speed = 0, power = 0, both = 0;
    for (std::size_t i = 0; i < all.size(); i += 2) {
        const double s = (all[i] - 900) / 346.4, p = (all[i + 1] - 225) / 72.2;
        speed += s;
        power += p;
        both += s * p;
    }
    const auto count = double(all.size()) / 2;  // 2000: standard error 0.022
    EXPECT_NEAR(speed / count, 0, 0.1);
    EXPECT_NEAR(power / count, 0, 0.1);
    EXPECT_NEAR(both / count, 0, 0.1);
}

TEST(Synth, HidesTheLabelsOfTestObjects) {
    const test::TemporaryFolder folder;
    SynthOptions options = test::small_synth(folder.path("raise"));
    options.objects = 3;
    options.hide_test_labels = true;
    const std::vector<std::string> files = synthesise(options);
    EXPECT_TRUE(open_recording(files[0])->layers()[0].labelled);
    EXPECT_FALSE(open_recording(files[2])->layers()[0].labelled) << "C029";
}

TEST(Synth, StoppingLeavesNoHalfFile) {
    const test::TemporaryFolder folder;
    SynthOptions options = test::small_synth(folder.path("raise"));
    EXPECT_THROW((void)synthesise(options,
                                  [](const JobProgress& progress) {
                                      if (progress.done > 40) request_stop(SIGINT);
                                  }),
                 Stopped);
    clear_stop();
    EXPECT_TRUE(std::filesystem::exists(folder.path("raise/C027.hdf5")));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path("raise")), {}), 1);
}

TEST(Synth, RefusesOptionsOutOfRange) {
    const test::TemporaryFolder folder;
    const auto refused = [&](auto change) {
        SynthOptions options = test::small_synth(folder.path("raise"));
        change(options);
        EXPECT_THROW((void)synthesise(options), ConfigError);
    };
    refused([](SynthOptions& o) { o.objects = 0; });
    refused([](SynthOptions& o) { o.layers = -1; });
    refused([](SynthOptions& o) { o.lines = 0; });
    refused([](SynthOptions& o) { o.height = 7; });
    refused([](SynthOptions& o) { o.width = 1 << 20; });
    refused([](SynthOptions& o) { o.line_length_mm = std::nan(""); });
    refused([](SynthOptions& o) { o.deflate = 10; });
    refused([](SynthOptions& o) { o.output.clear(); });
}

TEST(MeltPool, RosenthalBehindTheSourceDependsOnPowerAlone) {
    // Far behind the source the exponential is 1: T - T0 = eta P / (2 pi k r).
    const double along = -2e-3;
    const double expected = 0.35 * 200 / (2 * 3.14159265358979 * 28 * 2e-3);
    EXPECT_NEAR(temperature_rise({300, 200}, 0.35, along, 0), expected, 0.01 * expected);
    EXPECT_NEAR(temperature_rise({1200, 200}, 0.35, along, 0), expected, 0.01 * expected);
}

TEST(MeltPool, RosenthalAheadFallsWithSpeed) {
    const double slow = temperature_rise({300, 200}, 0.35, 1e-4, 0);
    const double fast = temperature_rise({600, 200}, 0.35, 1e-4, 0);
    const double distance = std::sqrt(1e-8 + 18e-6 * 18e-6);
    EXPECT_NEAR(fast / slow, std::exp(-0.3 * (distance + 1e-4) / (2 * 28.0 / (7700 * 600))), 1e-9);
}

TEST(MeltPool, EmissionIsWienAndCapped) {
    EXPECT_DOUBLE_EQ(emission(3100), 1);
    EXPECT_DOUBLE_EQ(emission(9000), 1);
    EXPECT_NEAR(emission(2000), std::exp(-0.0143878 / 850e-9 * (1 / 2000.0 - 1 / 3100.0)), 1e-12);
    EXPECT_LT(emission(1000), 1e-4);
}

TEST(MeltPool, ScanDirectionTurnsBy67DegreesALayer) {
    const double first = machine_state(1, 0, 0).scan_angle_rad;
    for (std::uint32_t layer = 1; layer < 5; ++layer)
        EXPECT_NEAR(machine_state(1, 0, layer).scan_angle_rad - first,
                    layer * 67 * 3.14159265 / 180, 1e-6);
}

TEST(MeltPool, ObjectsAndLayersDrift) {
    const MachineState a = machine_state(1, 0, 0), b = machine_state(1, 1, 0),
                       c = machine_state(1, 0, 50);
    EXPECT_NE(a.gain, b.gain);
    EXPECT_NE(a.blur_px, b.blur_px);
    EXPECT_NE(a.absorptivity, b.absorptivity);
    EXPECT_GT(c.ambient_k, a.ambient_k + 10) << "the part heats up";
}

/// Mean image of a drawn line.
std::vector<double> mean_image(LaserParameters laser, std::uint64_t seed) {
    const int side = 64;
    const std::size_t count = 40, pixels = std::size_t(side) * side;
    std::vector<std::uint8_t> frames(count * pixels);
    MachineState machine;
    MeltPoolCamera(side, side)
        .draw_line(laser, machine, false, RandomStream(seed, "test"), count, frames.data());
    std::vector<double> mean(pixels);
    for (std::size_t i = 0; i < frames.size(); ++i) mean[i % pixels] += frames[i] / double(count);
    return mean;
}

TEST(MeltPool, PowerLengthensThePoolAndSpeedNarrowsIt) {
    // Scan along the columns: rows measure the width, columns the length.
    const auto extent = [](const std::vector<double>& image, bool rows) {
        std::vector<bool> lit(64, false);
        for (std::size_t i = 0; i < image.size(); ++i)
            if (image[i] > 60) lit[rows ? i / 64 : i % 64] = true;
        return std::count(lit.begin(), lit.end(), true);
    };
    EXPECT_GT(extent(mean_image({800, 300}, 1), false),
              extent(mean_image({800, 150}, 1), false) + 4);
    EXPECT_GT(extent(mean_image({400, 250}, 1), true),
              extent(mean_image({1400, 250}, 1), true) + 2);
}

TEST(MeltPool, LaserIsOffAtTheTurnPoint) {
    const std::size_t count = 20, pixels = 32 * 32;
    std::vector<std::uint8_t> frames(count * pixels);
    MeltPoolCamera(32, 32).draw_line({600, 250}, MachineState{}, false, RandomStream(1, "test"),
                                     count, frames.data());
    const auto sum = [&](std::size_t frame) {
        const auto begin = frames.begin() + std::ptrdiff_t(frame * pixels);
        return std::accumulate(begin, begin + std::ptrdiff_t(pixels), 0.0);
    };
    EXPECT_LT(sum(19), 0.8 * sum(12));
    EXPECT_LT(sum(0), 0.9 * sum(12)) << "and it heats up at the start";
}

}  // namespace
}  // namespace edgeloop::synth_test
