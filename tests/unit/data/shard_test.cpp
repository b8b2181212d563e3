#include "edgeloop/data/shard.hpp"

#include "data/shard_file.hpp"
#include "data/shard_plan.hpp"
#include "unit/data/raise_writer.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/data/loader.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::shard_test {
namespace {

using testing::ElementsAre;

class Shards : public testing::Test {
  protected:
    Shards() {
        options_.input = synthesise(test::small_synth(folder_.path("raise")));
        options_.output = folder_.path("shards");
        options_.shards = 4;
        options_.split.seed = 2;
    }
    ~Shards() override { clear_stop(); }

    /// Every file of a folder and its bytes.
    static std::map<std::string, std::string> content(const std::string& folder) {
        std::map<std::string, std::string> files;
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            files[entry.path().filename().string()] = read_file(entry.path().string());
        return files;
    }
    std::map<std::string, std::string> reference() const {
        ShardOptions options = options_;
        options.output = folder_.path("reference");
        (void)make_shards(options);
        return content(options.output);
    }

    /// Turns the frames of the first recording's first layer dark, in place: same size, same
    /// labels.
    void darken(bool keep_time) const {
        const std::string& path = options_.input.at(0);
        const auto time = std::filesystem::last_write_time(path);
        const auto bytes = std::filesystem::file_size(path);
        const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        ASSERT_GE(file, 0);
        {
            const hdf5::Dataset frames = hdf5::open_dataset(file, {path, "/layer0000/frame"});
            const std::vector<std::uint8_t> dark(test::elements(frames.shape), 1);
            hdf5::write_rows(frames, 0, frames.shape[0], H5T_NATIVE_UINT8, dark.data());
        }
        H5Fclose(file);
        ASSERT_EQ(std::filesystem::file_size(path), bytes);
        if (keep_time) std::filesystem::last_write_time(path, time);
    }
    /// An uncompressed recording, which can be changed without a change of its size.
    void use_plain_recording() {
        std::vector<test::RawLayer> layers;
        for (const char* group : {"/layer0000", "/layer0001", "/layer0002"})
            layers.push_back(test::plain_layer({0, 0, 1, 1, 2, 2}, 3, group));
        options_.input = {test::write_file(folder_.path("C001.hdf5"), layers)};
        options_.split.validation_fraction = 0.34;
    }

    test::TemporaryFolder folder_;
    ShardOptions options_;
};

TEST_F(Shards, HoldTheCropsLabelsAndOriginOfEveryLine) {
    const Catalogue catalogue = make_shards(options_);
    std::vector<MappedShard> shards;
    for (const CatalogueShard& shard : catalogue.shards)
        shards.emplace_back(options_.output + "/" + shard.file, catalogue.settings_digest);
    std::size_t shard = 0, position = 0;
    std::uint64_t number = 0;
    for (const std::string& path : options_.input) {
        const auto file = open_recording(path);
        for (const LayerInfo& layer : file->layers()) {
            const LineIndex index = file->line_index(layer);
            const auto labels = file->labels(layer);
            file->for_each_line(layer, index, 0, index.lines(), options_.crop,
                                [&](CroppedLine& line) {
                                    if (position == shards[shard].lines.size()) {
                                        ++shard;
                                        position = 0;
                                    }
                                    const ShardLine& stored = shards[shard].lines[position];
                                    EXPECT_EQ(stored.number, number++);
                                    EXPECT_EQ(stored.scan_line, std::int64_t(line.line));
                                    const std::vector<double>& kept = shards[shard].labels;
                                    EXPECT_EQ(kept[2 * position], labels[2 * line.line]);
                                    EXPECT_EQ(kept[2 * position + 1], labels[2 * line.line + 1]);
                                    ASSERT_EQ(stored.frames, line.frames);
                                    EXPECT_TRUE(std::equal(line.pixels.begin(), line.pixels.end(),
                                                           shards[shard].pixels(position)));
                                    ++position;
                                });
        }
    }
    EXPECT_EQ(shard + 1, shards.size());
    EXPECT_EQ(number, 70U);
}

TEST_F(Shards, LinesOfOneLayerShareTheirPart) {
    const Catalogue catalogue = make_shards(options_);
    std::map<std::uint64_t, SplitPart> part_of_line;
    for (const CatalogueShard& shard : catalogue.shards) {
        const MappedShard mapped(options_.output + "/" + shard.file, catalogue.settings_digest);
        for (const ShardLine& line : mapped.lines) part_of_line[line.number] = line.part;
    }
    ASSERT_EQ(catalogue.layers.size(), 10U);
    ASSERT_EQ(part_of_line.size(), 70U);
    for (const CatalogueLayer& layer : catalogue.layers)
        for (std::uint64_t i = 0; i < layer.lines; ++i)
            EXPECT_EQ(part_of_line.at(layer.first_line + i), layer.part);
}

TEST_F(Shards, AreBalancedToTheNumberAskedFor) {
    const Catalogue catalogue = make_shards(options_);
    ASSERT_EQ(catalogue.shards.size(), 4U);
    std::uint64_t frames = 0;
    for (const CatalogueShard& shard : catalogue.shards) frames += shard.frames;
    for (const CatalogueShard& shard : catalogue.shards)
        EXPECT_NEAR(double(shard.frames), double(frames) / 4, 20) << "longest line";
}

TEST_F(Shards, AreTheSameForAnyNumberOfRanks) {
    const auto expected = reference();
    for (const int ranks : {2, 3, 5}) {
        ShardOptions options = options_;
        options.output = folder_.path("ranks" + std::to_string(ranks));
        const ShardJob job(options);
        job.prepare();
        for (int rank = ranks - 1; rank >= 0; --rank) job.write(rank, ranks);
        (void)job.finish();
        EXPECT_EQ(content(options.output), expected);
    }
}

TEST_F(Shards, StoppedRunsLeaveWholeShardsAndContinue) {
    const auto expected = reference();
    bool stopped = true;
    for (std::uint64_t frames = 100; stopped; frames += 100) {
        try {
            (void)make_shards(options_, [frames](const JobProgress& progress) {
                if (progress.done >= frames) request_stop(SIGTERM);
            });
            stopped = false;
        } catch (const Stopped&) {
            clear_stop();
            for (const auto& [name, bytes] : content(options_.output))
                EXPECT_EQ(bytes, expected.at(name)) << name << " is not whole";
        }
    }
    EXPECT_EQ(content(options_.output), expected);
}

TEST_F(Shards, ContinuingKeepsFinishedShards) {
    (void)make_shards(options_);
    const std::string kept = options_.output + "/" + shard_name(1);
    std::filesystem::remove(options_.output + "/" + shard_name(2));
    write_file_atomic(options_.output + "/" + shard_name(3) + ".partial", "half a shard");
    const auto before = std::filesystem::last_write_time(kept);
    const auto expected = reference();
    (void)make_shards(options_);
    EXPECT_EQ(std::filesystem::last_write_time(kept), before);
    EXPECT_EQ(content(options_.output), expected);
}

TEST_F(Shards, DamagedShardsAreMadeAgain) {
    (void)make_shards(options_);
    const auto expected = reference();
    std::filesystem::resize_file(options_.output + "/" + shard_name(0), 3000);
    (void)make_shards(options_);
    EXPECT_EQ(content(options_.output), expected);
}

TEST_F(Shards, ChangedSettingsAreRefusedUnlessForced) {
    (void)make_shards(options_);
    const auto before = content(options_.output);
    options_.split.seed = 3;
    options_.shards = 3;
    try {
        (void)make_shards(options_);
        FAIL() << "was accepted";
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.why(), testing::HasSubstr("seed, shards"));
        EXPECT_THAT(error.suggestion(), testing::HasSubstr("--force"));
    }
    EXPECT_EQ(content(options_.output), before);
    options_.force = true;
    EXPECT_EQ(make_shards(options_).shards.size(), 3U);
    EXPECT_FALSE(std::filesystem::exists(options_.output + "/" + shard_name(3)));
}

TEST_F(Shards, ChangedInputIsRefusedUnlessForced) {
    (void)make_shards(options_);
    SynthOptions synth = test::small_synth(folder_.path("raise"));
    synth.seed = 99;
    (void)synthesise(synth);
    EXPECT_THROW((void)make_shards(options_), ConfigError);
}

TEST_F(Shards, ARecordingChangedInPlaceIsCutAnew) {
    for (const bool keep_time : {false, true}) {
        use_plain_recording();
        std::filesystem::remove_all(options_.output);
        (void)make_shards(options_);
        const Catalogue before = read_catalogue(options_.output);
        darken(keep_time);
        ASSERT_FALSE(HasFatalFailure());
        (void)make_shards(options_);
        const Catalogue after = read_catalogue(options_.output);
        EXPECT_NE(after.digest, before.digest);
        const MappedShard shard = open_shard(options_.output, after, after.shards[0]);
        EXPECT_EQ(shard.pixels(0)[20 * crop_side + 20], 1);
        std::filesystem::remove_all(folder_.path("reference"));
        EXPECT_EQ(content(options_.output), reference());
    }
}

TEST_F(Shards, ATouchedRecordingGivesTheSameDataset) {
    (void)make_shards(options_);
    const std::string digest = read_catalogue(options_.output).digest;
    std::filesystem::last_write_time(options_.input[0],
                                     std::filesystem::file_time_type::clock::now());
    const std::string shard = options_.output + "/" + shard_name(1);
    const auto before = std::filesystem::last_write_time(shard);
    (void)make_shards(options_);
    EXPECT_EQ(read_catalogue(options_.output).digest, digest) << "the time is no part of it";
    EXPECT_NE(std::filesystem::last_write_time(shard), before) << "made anew";
}

TEST_F(Shards, ForceAlwaysMakesAnew) {
    (void)make_shards(options_);
    const auto expected = content(options_.output);
    const std::string shard = options_.output + "/" + shard_name(1);
    const auto before = std::filesystem::last_write_time(shard);
    options_.force = true;
    (void)make_shards(options_);
    EXPECT_NE(std::filesystem::last_write_time(shard), before);
    EXPECT_EQ(content(options_.output), expected);
}

TEST_F(Shards, ARecordingThatChangesMeanwhileIsNoticed) {
    use_plain_recording();
    const ShardJob job(options_);
    job.prepare();
    job.write(0, 1);
    darken(false);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_THROW((void)job.finish(), ConfigError);
    EXPECT_FALSE(std::filesystem::exists(options_.output + "/catalogue.json"));
    const Catalogue after = make_shards(options_);
    EXPECT_EQ(open_shard(options_.output, after, after.shards[0]).pixels(0)[20 * crop_side + 20],
              1);
}

TEST_F(Shards, OfTwoDatasetsAreNeverReadAsOne) {
    use_plain_recording();
    (void)make_shards(options_);
    const std::string old = options_.output;
    options_.output = folder_.path("other");
    options_.input = {folder_.path("moved/C001.hdf5")};
    std::filesystem::create_directories(folder_.path("moved"));
    std::filesystem::copy(folder_.path("C001.hdf5"), options_.input[0]);
    darken(false);
    ASSERT_FALSE(HasFatalFailure());
    (void)make_shards(options_);
    EXPECT_NO_THROW(Dataset{options_.output});
    std::filesystem::copy(old + "/" + shard_name(0), options_.output + "/" + shard_name(0),
                          std::filesystem::copy_options::overwrite_existing);
    EXPECT_THROW(Dataset{options_.output}, ConfigError);
}

// The settings agree, as when two large recordings differ only where no sample was taken.
TEST_F(Shards, WithTheSameSettingsButOtherContentAreRefused) {
    use_plain_recording();
    const Catalogue catalogue = make_shards(options_);
    const std::string path = options_.output + "/" + catalogue.shards[0].file;
    EXPECT_EQ(MappedShard(path, catalogue.settings_digest).content, catalogue.shards[0].content);
    CatalogueShard other = catalogue.shards[0];
    other.content[0] = other.content[0] == '0' ? '1' : '0';
    EXPECT_THROW((void)open_shard(options_.output, catalogue, other), ConfigError);
    other = catalogue.shards[0];
    other.bytes += 1;
    EXPECT_THROW((void)open_shard(options_.output, catalogue, other), ConfigError);
}

TEST_F(Shards, OnlyWhatIsCalledLikeAShardIsEverRemoved) {
    for (const char* name : {"shard-notes.txt", "download.partial", "shard-00007.h5.bak"})
        write_file_atomic(
            (std::filesystem::create_directories(options_.output), options_.output) + "/" + name,
            "mine");
    options_.force = true;
    (void)make_shards(options_);
    for (const char* name : {"shard-notes.txt", "download.partial", "shard-00007.h5.bak"})
        EXPECT_EQ(read_file(options_.output + "/" + name), "mine");
}

// Written by programs that knew no digests of content (v1) or no names of targets (v2).
TEST_F(Shards, OfOldVersionsAreStillReadUnderTheirOldDigest) {
    const auto total = [](const std::string& version, const std::string& digest) {
        const auto dataset = std::make_shared<const Dataset>(test::test_data("shards/" + version));
        EXPECT_EQ(dataset->digest(), digest);
        LoaderOptions loading;
        loading.window = WindowRule::published(2, 1);
        Loader loader(dataset, loading);
        Batch batch;
        loader.start_epoch(0);
        EXPECT_TRUE(loader.next(batch));
        EXPECT_EQ(batch.targets.size(), 2 * batch.samples);
        return loader.total_samples();
    };
    EXPECT_EQ(total("v1", "17004d7d606228eb41ea081ade05f712"), 4U);
    EXPECT_EQ(total("v2", "9cd7a73d7ead5c374a19a46dc35cc3c3"), 2U);
}

// A first run that fails must not lock the folder's name.
TEST_F(Shards, SettingsWithoutAnyShardDoNotBind) {
    {
        const ShardJob job(options_);
        job.prepare();
    }
    options_.split.seed = 77;
    EXPECT_EQ(make_shards(options_).split.seed, 77U);
}

TEST_F(Shards, ShardsOfUnknownSettingsAreKept) {
    (void)make_shards(options_);
    std::filesystem::remove(options_.output + "/plan.json");
    const auto before = content(options_.output);
    EXPECT_THROW((void)make_shards(options_), ConfigError);
    EXPECT_EQ(content(options_.output), before);
}

TEST_F(Shards, UnlabelledLayersAreForPredictionOnly) {
    SynthOptions synth = test::small_synth(folder_.path("hidden"));
    synth.objects = 3;  // C029 is an official test object
    synth.hide_test_labels = true;
    options_.input = synthesise(synth);
    options_.split.mode = SplitMode::official;
    const Catalogue catalogue = make_shards(options_);
    EXPECT_EQ(catalogue.part(SplitPart::prediction).lines, 35U);
    EXPECT_EQ(catalogue.part(SplitPart::prediction).targets.lines, 0U);
    EXPECT_EQ(catalogue.part(SplitPart::test).lines, 0U);
    LoaderOptions loading;
    loading.part = SplitPart::prediction;
    loading.window = WindowRule::published(16, 1);
    const auto dataset = std::make_shared<const Dataset>(options_.output);
    EXPECT_EQ(Loader(dataset, loading).total_samples(), 35U);
}

TEST_F(Shards, BothLayoutsGiveTheSameLines) {
    SynthOptions synth = test::small_synth(folder_.path("v10"));
    synth.layout = RaiseLayout::v1_0;
    ShardOptions old_layout = options_;
    old_layout.input = synthesise(synth);
    old_layout.output = folder_.path("v10-shards");
    ASSERT_EQ(old_layout.input.size(), 2U);
    // The v1.0 test file comes last, as object C028 does in v1.1.
    const Catalogue a = make_shards(options_), b = make_shards(old_layout);
    ASSERT_EQ(a.layers.size(), b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i) {
        EXPECT_EQ(a.layers[i].object, b.layers[i].object);
        EXPECT_EQ(a.layers[i].part, b.layers[i].part);
        EXPECT_EQ(a.layers[i].frames, b.layers[i].frames);
    }
    const MappedShard first(options_.output + "/" + shard_name(0), a.settings_digest);
    const MappedShard second(old_layout.output + "/" + shard_name(0), b.settings_digest);
    ASSERT_EQ(first.lines.size(), second.lines.size());
    EXPECT_TRUE(std::equal(first.pixels(0), first.pixels(0) + 100 * crop_pixels, second.pixels(0)));
}

TEST_F(Shards, LinesWithoutFramesAreLeftOutAndCounted) {
    options_.input = {test::write_file(folder_.path("C001.hdf5"),
                                       {test::plain_layer({0, 2, 2, -1}, 4, "/layer0001"),
                                        test::plain_layer({1, 1, 0, 1}, 2, "/layer0002")})};
    options_.shards = 2;
    const Catalogue catalogue = make_shards(options_);
    EXPECT_EQ(catalogue.lines_without_frames, 2U);
    EXPECT_EQ(catalogue.frames_without_line, 1U);
    EXPECT_EQ(catalogue.layers[0].lines, 2U);
    EXPECT_EQ(catalogue.layers[1].lines, 2U);
}

TEST_F(Shards, RefuseImpossibleNumbers) {
    options_.shards = 71;
    EXPECT_THROW((void)make_shards(options_), ConfigError);
    options_.shards = 0;
    EXPECT_THROW((void)make_shards(options_), ConfigError);
}

TEST(BalancedCuts, FollowTheWeights) {
    EXPECT_THAT(balanced_cuts({1, 1, 1, 1, 1, 1}, 3), ElementsAre(0U, 2U, 4U, 6U));
    EXPECT_THAT(balanced_cuts({10, 1, 1, 1, 1, 1}, 2), ElementsAre(0U, 1U, 6U));
    EXPECT_THAT(balanced_cuts({1, 1, 1, 1, 1, 10}, 2), ElementsAre(0U, 5U, 6U));
    EXPECT_THAT(balanced_cuts({100, 1, 1}, 3), ElementsAre(0U, 1U, 2U, 3U)) << "no run is empty";
    EXPECT_THAT(balanced_cuts({1, 1, 100}, 3), ElementsAre(0U, 1U, 2U, 3U));
    EXPECT_THAT(balanced_cuts({7}, 1), ElementsAre(0U, 1U));
    EXPECT_THROW((void)balanced_cuts({1}, 2), LogicError);
}

TEST(ShardPlan, NamesThatSomebodyChoseAreTextInTheCatalogue) {
    const test::TemporaryFolder folder;
    const std::string object = "evil\x1b[2J\xe9";
    std::vector<test::RawLayer> layers;
    for (int i = 0; i < 5; ++i)
        layers.push_back(
            test::plain_layer({0, 0, 1, 1}, 2, "/" + object + "/layer000" + std::to_string(i)));
    ShardOptions options;
    options.input = {test::write_file(folder.path("new\nline.hdf5"), layers, {object})};
    options.output = folder.path("shards");
    options.shards = 2;
    const ShardPlan plan = make_shard_plan(options);
    ASSERT_EQ(plan.catalogue.layers.size(), 5U);
    for (const CatalogueLayer& layer : plan.catalogue.layers) {
        EXPECT_EQ(layer.object, "evil\\u{1b}[2J\\x{e9}");
        EXPECT_EQ(layer.source, "new\\u{a}line.hdf5");
    }
    EXPECT_NO_THROW((void)format_catalogue(plan.catalogue));
}

}  // namespace
}  // namespace edgeloop::shard_test
