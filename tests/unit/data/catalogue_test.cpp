#include "edgeloop/data/catalogue.hpp"

#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <cctype>
#include <functional>
#include <utility>

#include <gtest/gtest.h>

namespace edgeloop::catalogue_test {
namespace {

Catalogue example() {
    Catalogue catalogue;
    catalogue.split.seed = 0xffffffffffffffffULL;
    catalogue.settings_digest = "abc";
    catalogue.lines_without_frames = 3;
    catalogue.shards = {{"shard-00000.h5", 100, 2, 20, "d0", "c0"},
                        {"shard-00001.h5", 90, 1, 9, "d1", "c1"}};
    catalogue.layers = {{"C027", "layer0000", "C027.hdf5", SplitPart::train, 0, 2, 20},
                        {"C027", "layer0001", "C027.hdf5", SplitPart::validation, 2, 1, 9}};
    catalogue.parts[0] = {1, 2, 20, {2, {700, 200}, {250000, 2500}}};
    catalogue.parts[1] = {1, 1, 9, {1, {900, 210}, {0, 0}}};
    return catalogue;
}

std::string digest_of(const Catalogue& catalogue) {
    return parse_catalogue(format_catalogue(catalogue), "test").digest;
}

TEST(Catalogue, SurvivesWritingAndReading) {
    const Catalogue before = example();
    const std::string text = format_catalogue(before);
    const Catalogue after = parse_catalogue(text, "test");
    EXPECT_EQ(format_catalogue(after), text);
    EXPECT_EQ(after.split.seed, before.split.seed);
    EXPECT_EQ(after.layers[1].part, SplitPart::validation);
    EXPECT_EQ(after.part(SplitPart::train).targets.mean.at(1), 200);
    EXPECT_EQ(digest_of(after), digest_of(before));
    Catalogue other = before;
    other.layers[0].part = SplitPart::test;
    std::swap(other.parts[0], other.parts[2]);
    EXPECT_NE(digest_of(other), digest_of(before));
}

// Searches keep the digest: a catalogue of an older program must keep its own.
TEST(Catalogue, OfVersion1IsReadAndKeepsItsDigest) {
    const std::string text = read_file(test::test_data("shards/v1/catalogue.json"));
    const Catalogue read = parse_catalogue(text, "test");
    EXPECT_EQ(read.digest, Json::parse(text)["digest"]);
    EXPECT_TRUE(read.shards.at(0).content.empty());
    EXPECT_EQ(read.targets, raise_targets());
    EXPECT_EQ(read.part(SplitPart::train).targets.mean, (std::vector<double>{600.25, 205.25}));
}

TEST(Catalogue, OfVersion2IsReadAndKeepsItsDigest) {
    const std::string text = read_file(test::test_data("shards/v2/catalogue.json"));
    const Catalogue read = parse_catalogue(text, "test");
    EXPECT_EQ(read.digest, Json::parse(text)["digest"]);
    EXPECT_FALSE(read.shards.at(0).content.empty());
    EXPECT_EQ(read.targets, raise_targets());
    EXPECT_EQ(read.part(SplitPart::train).targets.mean.size(), 2U);
}

TEST(Catalogue, HoldsAnyNumberOfTargets) {
    Catalogue before = example();
    before.targets = {{"depth", "um", 100}, {"width", "um", 120}, {"pores", "", 1}};
    before.parts[0].targets = {2, {50, 60, 3}, {1, 2, 3}};
    before.parts[1].targets = {1, {40, 66, 2}, {0, 0, 0}};
    const Catalogue after = parse_catalogue(format_catalogue(before), "test");
    EXPECT_EQ(after.targets, before.targets);
    EXPECT_EQ(after.part(SplitPart::train).targets.mean, (std::vector<double>{50, 60, 3}));
    EXPECT_EQ(after.part(SplitPart::validation).targets.variance, (std::vector<double>{0, 0, 0}));
    EXPECT_EQ(metric_name(after.targets[0]), "depth_um");
    EXPECT_EQ(metric_name(after.targets[2]), "pores");
    EXPECT_EQ(metric_name(raise_targets()[0]), "speed_mm_s");
}

TEST(Catalogue, NamesOfTargetsComeInClean) {
    Catalogue theirs = example();
    theirs.targets[0].name = "speed\x1b[2J";
    theirs.targets[1].unit = "W\u202e";
    const Catalogue read = parse_catalogue(format_catalogue(theirs), "test");
    EXPECT_EQ(read.targets[0].name, "speed\\u{1b}[2J");
    EXPECT_EQ(read.targets[1].unit, "W\\u{202e}");
}

TEST(Catalogue, DigestCoversTheContentOfEachShard) {
    Catalogue other = example();
    other.shards[1].digest = "d2";
    EXPECT_NE(digest_of(other), digest_of(example()));
    other = example();
    other.shards[1].content = "c2";
    EXPECT_NE(digest_of(other), digest_of(example()));
}

TEST(Catalogue, EverySingleByteOfDamageIsNoticed) {
    const std::string text = format_catalogue(example());
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string damaged = text;
        damaged[i] = damaged[i] == '7' ? '8' : '7';
        if (std::isspace(static_cast<unsigned char>(text[i])) != 0) continue;
        EXPECT_THROW((void)parse_catalogue(damaged, "test"), ConfigError) << "byte " << i;
    }
}

TEST(Catalogue, RefusesContradictions) {
    const auto refused = [](const std::function<void(Catalogue&)>& change) {
        Catalogue catalogue = example();
        change(catalogue);
        // The digest is right: the numbers themselves must be noticed.
        EXPECT_THROW((void)parse_catalogue(format_catalogue(catalogue), "test"), ConfigError);
    };
    refused([](Catalogue& c) { c.layers[1].first_line = 3; });
    refused([](Catalogue& c) { c.layers[1].part = SplitPart::train; });
    refused([](Catalogue& c) { c.shards[0].lines = 3; });
    refused([](Catalogue& c) { c.shards[1].frames = 10; });
    refused([](Catalogue& c) { c.parts[0].lines = 5; });
    refused([](Catalogue& c) { c.shards[0].file = "../shard-00000.h5"; });
    refused([](Catalogue& c) { c.shards[0].file = ""; });
    refused([](Catalogue& c) { c.targets.clear(); });
    refused([](Catalogue& c) { c.targets[1].scale = 0; });
    refused([](Catalogue& c) { c.parts[0].targets.mean.pop_back(); });
}

TEST(Catalogue, RefusesOtherVersionsByName) {
    Json json = Json::parse(format_catalogue(example()));
    json["version"] = 7;
    try {
        (void)parse_catalogue(json.dump(), "test");
        FAIL() << "was accepted";
    } catch (const ConfigError& error) {
        EXPECT_NE(std::string(error.what()).find("version 7; this program reads versions 1 to 4"),
                  std::string::npos)
            << error.what();
    }
}

TEST(Catalogue, SaysWhenItIsMissing) {
    const test::TemporaryFolder folder;
    EXPECT_THROW((void)read_catalogue(folder.root()), ConfigError);
}

}  // namespace
}  // namespace edgeloop::catalogue_test
