#include "edgeloop/data/loader.hpp"

#include "support/target_dataset.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <gtest/gtest.h>

namespace edgeloop::loader_test {
namespace {

using Lines = std::vector<std::uint64_t>;

/// Made once: the tests only read it.
const std::string& shards() {
    static const test::TemporaryFolder folder;
    static const std::string path = [] {
        (void)test::small_shards(folder);
        return folder.path("shards");
    }();
    return path;
}

const std::shared_ptr<const Dataset>& dataset() {
    static const auto opened = std::make_shared<const Dataset>(shards());
    return opened;
}

LoaderOptions options_for(SplitPart part) {
    LoaderOptions options;
    options.part = part;
    options.window = WindowRule::published(4, 1);
    options.batch = 3;
    options.seed = 5;
    return options;
}

/// Lines of the part according to the catalogue, ascending.
Lines lines_of(SplitPart part) {
    Lines lines;
    for (const CatalogueLayer& layer : read_catalogue(shards()).layers)
        for (std::uint64_t i = 0; layer.part == part && i < layer.lines; ++i)
            lines.push_back(layer.first_line + i);
    return lines;
}

struct Epoch {
    Lines lines;
    std::size_t steps = 0;
    std::vector<std::uint8_t> pixels;
};

Epoch read_epoch(const LoaderOptions& options, int epoch, std::size_t first_step = 0) {
    Loader loader(dataset(), options);
    loader.start_epoch(epoch, first_step);
    Epoch seen;
    Batch batch;
    while (loader.next(batch)) {
        ++seen.steps;
        EXPECT_EQ(batch.lines.size(), batch.samples);
        EXPECT_EQ(batch.targets.size(), 2 * batch.samples);
        EXPECT_EQ(batch.pixels.size(), batch.samples * std::size_t(batch.frames) * crop_pixels);
        seen.lines.insert(seen.lines.end(), batch.lines.begin(), batch.lines.end());
        seen.pixels.insert(seen.pixels.end(), batch.pixels.begin(), batch.pixels.end());
    }
    return seen;
}

class LoaderRanks : public testing::TestWithParam<int> {};

TEST_P(LoaderRanks, EveryLineOfEachPartIsSeenExactlyOnceAnEpoch) {
    const int ranks = GetParam();
    for (const SplitPart part : {SplitPart::train, SplitPart::validation, SplitPart::test}) {
        const Lines expected = lines_of(part);
        ASSERT_FALSE(expected.empty());
        for (int epoch = 0; epoch < 3; ++epoch) {
            Lines seen;
            std::set<std::size_t> steps;
            for (int rank = 0; rank < ranks; ++rank) {
                LoaderOptions options = options_for(part);
                options.rank = rank;
                options.ranks = ranks;
                const Epoch share = read_epoch(options, epoch);
                steps.insert(share.steps);
                seen.insert(seen.end(), share.lines.begin(), share.lines.end());
            }
            std::sort(seen.begin(), seen.end());
            EXPECT_EQ(seen, expected);
            EXPECT_EQ(steps.size(), 1U) << "ranks made different numbers of steps";
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Ranks, LoaderRanks, testing::Values(1, 2, 3, 5));

TEST(Loader, PartsAreDisjointAndComplete) {
    Lines all;
    for (const SplitPart part : {SplitPart::train, SplitPart::validation, SplitPart::test}) {
        const Epoch epoch = read_epoch(options_for(part), 0);
        all.insert(all.end(), epoch.lines.begin(), epoch.lines.end());
    }
    std::sort(all.begin(), all.end());
    Lines expected(2 * 5 * 7);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = i;
    EXPECT_EQ(all, expected);
}

TEST(Loader, TrainingOrderAndWindowsDependOnSeedAndEpochAlone) {
    LoaderOptions options = options_for(SplitPart::train);
    const Epoch first = read_epoch(options, 1);
    options.prefetch = 0;
    const Epoch again = read_epoch(options, 1);
    EXPECT_EQ(first.lines, again.lines);
    EXPECT_EQ(first.pixels, again.pixels);
    EXPECT_NE(read_epoch(options, 2).lines, first.lines);
    options.seed = 6;
    EXPECT_NE(read_epoch(options, 1).lines, first.lines);
}

TEST(Loader, WindowsOfALineMoveBetweenEpochs) {
    const LoaderOptions options = options_for(SplitPart::train);
    const std::size_t window = std::size_t(options.window.frames) * crop_pixels;
    std::map<std::uint64_t, std::set<std::vector<std::uint8_t>>> windows;
    for (int epoch = 0; epoch < 4; ++epoch) {
        const Epoch seen = read_epoch(options, epoch);
        for (std::size_t i = 0; i < seen.lines.size(); ++i)
            windows[seen.lines[i]].insert({seen.pixels.begin() + std::ptrdiff_t(i * window),
                                           seen.pixels.begin() + std::ptrdiff_t((i + 1) * window)});
    }
    std::size_t moved = 0;
    for (const auto& [line, seen] : windows) moved += seen.size() > 1 ? 1 : 0;
    EXPECT_GT(moved, windows.size() / 2);
}

TEST(Loader, ValidationKeepsCatalogueOrderAndWindows) {
    const LoaderOptions options = options_for(SplitPart::validation);
    const Epoch first = read_epoch(options, 0), second = read_epoch(options, 1);
    EXPECT_EQ(first.lines, lines_of(SplitPart::validation));
    EXPECT_EQ(first.pixels, second.pixels);
}

TEST(Loader, ResumesInsideAnEpoch) {
    const LoaderOptions options = options_for(SplitPart::train);
    const Epoch whole = read_epoch(options, 2);
    const Epoch rest = read_epoch(options, 2, 5);
    ASSERT_EQ(rest.steps, whole.steps - 5);
    EXPECT_EQ(rest.lines, Lines(whole.lines.begin() + 5 * options.batch, whole.lines.end()));
    EXPECT_TRUE(std::equal(rest.pixels.rbegin(), rest.pixels.rend(), whole.pixels.rbegin()));
}

TEST(Loader, LimitedSamplesAreASeededChoiceOfThePart) {
    LoaderOptions options = options_for(SplitPart::train);
    options.max_samples = 10;
    EXPECT_EQ(Loader(dataset(), options).total_samples(), 10U);
    Lines chosen = read_epoch(options, 0).lines, later = read_epoch(options, 1).lines;
    std::sort(chosen.begin(), chosen.end());
    std::sort(later.begin(), later.end());
    EXPECT_EQ(chosen, later) << "every epoch sees the same choice";
    const Lines all = lines_of(SplitPart::train);
    EXPECT_TRUE(std::includes(all.begin(), all.end(), chosen.begin(), chosen.end()));
    options.seed = 9;
    Lines other = read_epoch(options, 0).lines;
    std::sort(other.begin(), other.end());
    EXPECT_NE(other, chosen);
}

TEST(Loader, AbandonedEpochsDoNotLeakIntoTheNext) {
    const LoaderOptions options = options_for(SplitPart::train);
    Loader loader(dataset(), options);
    Batch batch;
    loader.start_epoch(0);
    ASSERT_TRUE(loader.next(batch));
    loader.start_epoch(1);
    Lines lines;
    while (loader.next(batch)) lines.insert(lines.end(), batch.lines.begin(), batch.lines.end());
    EXPECT_EQ(lines, read_epoch(options, 1).lines);
    EXPECT_FALSE(loader.next(batch));
}

TEST(Loader, TargetsAreNormalisedAndLikeTheCatalogue) {
    Loader loader(dataset(), options_for(SplitPart::train));
    loader.start_epoch(0);
    Batch batch;
    double speed = 0, power = 0;
    while (loader.next(batch))
        for (std::size_t i = 0; i < batch.samples; ++i) {
            speed += double(batch.targets[2 * i]) * 900;
            power += double(batch.targets[2 * i + 1]) * 215;
        }
    const TargetStatistics targets = read_catalogue(shards()).part(SplitPart::train).targets;
    const auto count = double(loader.total_samples());
    EXPECT_NEAR(speed / count, targets.mean.at(0), 0.1);
    EXPECT_NEAR(power / count, targets.mean.at(1), 0.1);
}

TEST(Loader, GivesAnyNumberOfTargets) {
    const test::TemporaryFolder folder;
    for (const std::size_t count : {1U, 3U}) {
        const std::vector<Target> all = {
            {"depth", "um", 40}, {"width", "um", 0.5}, {"pores", "", 1}};
        const std::vector<Target> targets(all.begin(), all.begin() + std::ptrdiff_t(count));
        const auto data = std::make_shared<const Dataset>(
            test::make_target_dataset(folder.path(std::to_string(count)), targets));
        EXPECT_EQ(data->catalogue().targets, targets);
        Loader loader(data, options_for(SplitPart::validation));
        loader.start_epoch(0);
        Batch batch;
        ASSERT_TRUE(loader.next(batch));
        ASSERT_EQ(batch.samples, 2U);
        std::vector<float> expected(count, 5);
        expected.resize(2 * count, 6);
        EXPECT_EQ(batch.targets, expected);
    }
}

TEST(Loader, PreparesClipsInTheMemoryItIsGiven) {
    for (const int prefetch : {0, 2}) {
        LoaderOptions options = options_for(SplitPart::validation);
        options.side = 24;
        options.prefetch = prefetch;
        std::set<const float*> given;
        options.clip_memory = [&given](std::size_t count) {
            std::shared_ptr<float> memory(new float[count], std::default_delete<float[]>());
            given.insert(memory.get());
            return memory;
        };
        Loader loader(dataset(), options);
        loader.start_epoch(0);
        Batch batch;
        std::size_t batches = 0;
        for (; loader.next(batch); ++batches) {
            EXPECT_EQ(given.count(batch.clips.get()), 1U);
            std::vector<float> expected(batch.samples * std::size_t(batch.frames) * 24 * 24);
            normalise_and_resize(batch, 24, expected.data());
            EXPECT_TRUE(std::equal(expected.begin(), expected.end(), batch.clips.get()));
        }
        EXPECT_EQ(batches, loader.steps_per_epoch());
    }
}

TEST(Loader, AugmentationTurnsWholeClips) {
    LoaderOptions options = options_for(SplitPart::train);
    const Epoch plain = read_epoch(options, 0);
    options.augment = true;
    const Epoch turned = read_epoch(options, 0);
    ASSERT_EQ(turned.lines, plain.lines);
    const std::size_t window = std::size_t(options.window.frames) * crop_pixels;
    std::size_t changed = 0;
    for (std::size_t i = 0; i < plain.lines.size(); ++i) {
        const auto begin = std::ptrdiff_t(i * window), end = std::ptrdiff_t((i + 1) * window);
        std::vector<std::uint8_t> a(plain.pixels.begin() + begin, plain.pixels.begin() + end);
        std::vector<std::uint8_t> b(turned.pixels.begin() + begin, turned.pixels.begin() + end);
        changed += a != b ? 1 : 0;
        std::sort(a.begin(), a.end());
        std::sort(b.begin(), b.end());
        EXPECT_EQ(a, b) << "a symmetry only moves pixels";
    }
    EXPECT_GT(changed, plain.lines.size() / 2);
}

TEST(Loader, RefusesWhatCannotBeLoaded) {
    EXPECT_THROW(Dataset{shards() + "/nowhere"}, ConfigError);
    LoaderOptions options = options_for(SplitPart::train);
    options.window.frames = 0;
    EXPECT_THROW(Loader(dataset(), options), ConfigError);
    options = options_for(SplitPart::train);
    options.window.stride = 0;
    EXPECT_THROW(Loader(dataset(), options), ConfigError);
    options = options_for(SplitPart::train);
    options.window.margin = -1;
    EXPECT_THROW(Loader(dataset(), options), ConfigError);
    options = options_for(SplitPart::train);
    options.windows_per_line = 0;
    EXPECT_THROW(Loader(dataset(), options), ConfigError);
}

/// Frames of each line of a part, by its number.
std::map<std::uint64_t, std::size_t> lengths_of(SplitPart part) {
    std::map<std::uint64_t, std::size_t> lengths;
    for (const Sample& sample : dataset()->samples(part))
        lengths[sample.number] = static_cast<std::size_t>(sample.frames);
    return lengths;
}

TEST(Loader, LeavesOutLinesWithoutRoomAndCountsThem) {
    for (const SplitPart part : {SplitPart::train, SplitPart::validation}) {
        LoaderOptions options = options_for(part);
        options.window = {4, 1, 2, ShortLines::skip};
        Lines long_enough;
        for (const auto& [line, frames] : lengths_of(part))
            if (frames >= 8) long_enough.push_back(line);
        ASSERT_GT(long_enough.size(), 1U);
        ASSERT_LT(long_enough.size(), lengths_of(part).size());
        Lines seen = read_epoch(options, 0).lines;
        std::sort(seen.begin(), seen.end());
        EXPECT_EQ(seen, long_enough);
        EXPECT_EQ(Loader(dataset(), options).lines_left_out(),
                  lengths_of(part).size() - long_enough.size());
        options.window.short_lines = ShortLines::repeat;
        EXPECT_EQ(Loader(dataset(), options).lines_left_out(),
                  std::size_t(std::count_if(
                      dataset()->samples(part).begin(), dataset()->samples(part).end(),
                      [](const Sample& sample) { return sample.frames <= 4; })));
    }
}

TEST(Loader, SpreadsSeveralValidationWindowsOverEachLine) {
    LoaderOptions options = options_for(SplitPart::validation);
    options.window = {2, 1, 1, ShortLines::skip};
    options.windows_per_line = 3;
    std::map<std::uint64_t, std::size_t> times;
    for (const std::uint64_t line : read_epoch(options, 0).lines) ++times[line];
    for (const auto& [line, frames] : lengths_of(SplitPart::validation))
        EXPECT_EQ(times[line], frames < 4 ? 0U : std::min<std::size_t>(3, frames - 3)) << frames;
    const Epoch three = read_epoch(options, 0);
    std::set<std::vector<std::uint8_t>> different;
    for (std::size_t i = 0; i < three.lines.size(); ++i)
        different.emplace(three.pixels.begin() + std::ptrdiff_t(2 * i * crop_pixels),
                          three.pixels.begin() + std::ptrdiff_t(2 * (i + 1) * crop_pixels));
    EXPECT_EQ(different.size(), three.lines.size()) << "no window is there twice";
    options.windows_per_line = 1;
    const Epoch one = read_epoch(options, 0);
    // The second of three is the one in the middle; the three differ.
    const std::size_t window = 2 * crop_pixels;
    std::size_t compared = 0;
    for (std::size_t i = 0, at = 0; i < one.lines.size(); at += times[one.lines[i++]]) {
        if (times[one.lines[i]] != 3) continue;
        const auto begin = three.pixels.begin() + std::ptrdiff_t(at * window);
        const auto size = std::ptrdiff_t(window);
        EXPECT_TRUE(std::equal(begin + size, begin + 2 * size,
                               one.pixels.begin() + std::ptrdiff_t(i * window)));
        EXPECT_FALSE(std::equal(begin, begin + size, begin + size));
        ++compared;
    }
    EXPECT_GT(compared, 0U);
    options.part = SplitPart::train;
    options.windows_per_line = 3;
    EXPECT_EQ(
        Loader(dataset(), options).total_samples() + Loader(dataset(), options).lines_left_out(),
        lengths_of(SplitPart::train).size());
}

TEST(Dataset, OpensEachShardOnceForAnyNumberOfLoaders) {
    (void)dataset();  // what the other tests share is opened by now
    const std::uint64_t before = opened_shards();
    const auto fresh = std::make_shared<const Dataset>(shards());
    const std::size_t files = fresh->catalogue().shards.size();
    ASSERT_GT(files, 1U);
    for (int i = 0; i < 3; ++i)
        for (const SplitPart part : {SplitPart::train, SplitPart::validation})
            EXPECT_EQ(Loader(fresh, options_for(part)).total_samples(), lines_of(part).size());
    EXPECT_EQ(opened_shards() - before, files);
}

}  // namespace
}  // namespace edgeloop::loader_test
