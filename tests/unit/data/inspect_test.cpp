#include "apps/data/inspect.hpp"

#include "apps/data/montage.hpp"
#include "unit/data/raise_writer.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

namespace edgeloop::inspect_test {
namespace {

using test::plain_layer;
using test::RawLayer;
using testing::ElementsAre;
using testing::HasSubstr;

InspectOptions options_for(const std::vector<std::string>& files) {
    InspectOptions options;
    options.input = files;
    return options;
}

TEST(Inspect, CountsWhatIsThere) {
    const Inspection inspection =
        inspect(options_for({test::reference_file("raise_v1.0_train.hdf5")}));
    ASSERT_EQ(inspection.files.size(), 1U);
    const FileInspection& file = inspection.files[0];
    EXPECT_FALSE(inspection.has_errors());
    EXPECT_EQ(file.layout, "v1.0");
    EXPECT_THAT(file.objects, ElementsAre("C098", "C099"));
    EXPECT_EQ(file.layers, 4U);
    EXPECT_EQ(file.lines, 12U);
    EXPECT_EQ(file.frames, 347U);
    EXPECT_THAT(file.frame_sizes, ElementsAre("72x88"));
    EXPECT_THAT(file.index_types, ElementsAre("int64"));
    EXPECT_THAT(file.frame_storage, ElementsAre("chunks (8, 72, 88)"));
    EXPECT_EQ(file.frames_per_line.count, 12U);
    EXPECT_EQ(file.frames_per_line.minimum, 20);
    EXPECT_NEAR(file.labels.at(0).maximum, 1413.93, 0.01);
}

TEST(Inspect, GreyValuesAreExact) {
    const test::TemporaryFolder folder;
    RawLayer layer = plain_layer({0, 0}, 1);
    layer.pixels.assign(60, 10);
    layer.pixels[7] = layer.pixels[59] = 255;
    const std::string path = test::write_file(folder.path("C001.hdf5"), {layer});
    const FileInspection file = inspect(options_for({path})).files[0];
    EXPECT_DOUBLE_EQ(file.saturated_fraction, 2.0 / 60);
    EXPECT_DOUBLE_EQ(file.mean_grey, (58 * 10 + 2 * 255) / 60.0);
    InspectOptions quick = options_for({path});
    quick.quick = true;
    EXPECT_FALSE(inspect(quick).files[0].frames_were_read);
}

TEST(Inspect, ListsEveryProblemWithItsPlaceAndReadsOn) {
    const test::TemporaryFolder folder;
    RawLayer wrong = plain_layer({0, 1}, 2, "/layer0001");
    wrong.parameters[2] = std::numeric_limits<double>::quiet_NaN();
    const std::string first = test::write_file(
        folder.path("C001.hdf5"),
        {plain_layer({0, 5}, 2, "/layer0000"), wrong, plain_layer({1, -1, 1, 3}, 4, "/layer0002")});
    write_file_atomic(folder.path("C002.hdf5"), "not HDF5");
    const std::string last =
        test::write_file(folder.path("C003.hdf5"), {plain_layer({0, 1, 0}, 2)});
    const Inspection inspection = inspect(options_for({folder.path("C00?.hdf5")}));
    ASSERT_EQ(inspection.files.size(), 3U);
    EXPECT_TRUE(inspection.has_errors());
    const std::string text = to_text(inspection);
    EXPECT_THAT(text, HasSubstr("'/layer0000/scan_line_index': frame 1 belongs to line 5"));
    EXPECT_THAT(text, HasSubstr("'/layer0001/laser_params': line 1 has speed nan"));
    EXPECT_THAT(text, HasSubstr("line 0 has no frames"));
    EXPECT_THAT(text, HasSubstr("1 frames have a negative index"));
    EXPECT_THAT(text, HasSubstr("C002.hdf5': not a readable HDF5 file"));
    EXPECT_EQ(inspection.files[0].layers, 3U);
    EXPECT_EQ(inspection.files[1].layout, "");
    EXPECT_EQ(inspection.files[2].lines, 2U);
    EXPECT_THAT(to_text(inspection), HasSubstr("not sorted"));
    ASSERT_EQ(inspection.files[2].problems.size(), 1U) << "not sorted";
    for (const FileProblem& problem : inspection.files[2].problems)
        EXPECT_EQ(problem.severity, Severity::note);
}

TEST(Inspect, LongListsOfProblemsAreCut) {
    const test::TemporaryFolder folder;
    const std::string path = test::write_file(folder.path("C001.hdf5"), {plain_layer({99}, 100)});
    const FileInspection file = inspect(options_for({path})).files[0];
    ASSERT_EQ(file.problems.size(), 6U);
    EXPECT_EQ(file.problems[5].text, "and 94 more");
}

TEST(Inspect, JsonHasWhatTheTextHas) {
    const Inspection inspection =
        inspect(options_for({test::reference_file("raise_v1.1_C099.hdf5")}));
    const Json json = Json::parse(to_json_text(inspection));
    EXPECT_EQ(json["errors"], false);
    const Json& file = json["files"][0];
    EXPECT_EQ(file["layout"], "v1.1");
    EXPECT_EQ(file["lines"], 8);
    EXPECT_EQ(file["frames_per_line"]["minimum"], 9.0);
    EXPECT_EQ(file["speed_mm_s"]["count"], 8);
}

TEST(Inspect, SaysWhatCanBeHadWithoutANetwork) {
    const test::TemporaryFolder folder;
    SynthOptions synth;
    synth.output = folder.path("raise");
    synth.objects = 3;
    synth.layers = 5;
    synth.lines = 12;
    synth.part_size_mm = 4;
    synth.height = synth.width = 48;
    synth.seed = 3;
    const std::vector<std::string> files = synthesise(synth);
    const Inspection inspection = inspect(options_for(files));
    EXPECT_EQ(inspection.held_out, "objects");
    EXPECT_GT(inspection.fitted, inspection.scored);
    EXPECT_LE(inspection.fitted + inspection.scored, 3U * 5 * 12);
    ASSERT_EQ(inspection.baselines.size(), 6U);
    EXPECT_GT(inspection.baselines.back().r2[1], 0.5) << "moments tell the power";
    for (const Baseline& baseline : inspection.baselines) {
        const bool counts_frames =
            baseline.name == "frames in the window" || baseline.name == "padded frames";
        EXPECT_LT(baseline.r2[0], counts_frames ? 0.05 : 1) << baseline.name;
    }
    EXPECT_THAT(to_text(inspection), HasSubstr("five moments"));
    InspectOptions quick = options_for(files);
    quick.quick = true;
    EXPECT_TRUE(inspect(quick).baselines.empty());
    EXPECT_EQ(inspect(options_for({files[0]})).held_out, "layers");
}

TEST(Inspect, DistributionsAreOrderStatistics) {
    std::vector<double> values;
    for (int i = 100; i >= 0; --i) values.push_back(i);
    const Distribution all = distribution_of(values);
    EXPECT_EQ(all.minimum, 0);
    EXPECT_EQ(all.p10, 10);
    EXPECT_EQ(all.median, 50);
    EXPECT_EQ(all.p90, 90);
    EXPECT_EQ(all.maximum, 100);
    EXPECT_EQ(all.mean, 50);
    EXPECT_EQ(distribution_of({}).count, 0U);
}

/// The grey values of a PNG.
std::vector<std::uint8_t> decode_png(const std::string& bytes, std::uint32_t& width,
                                     std::uint32_t& height) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    EXPECT_NE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()), 0);
    image.format = PNG_FORMAT_GRAY;
    std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
    EXPECT_NE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr), 0);
    width = image.width;
    height = image.height;
    return pixels;
}

TEST(Png, DecodesToThePicture) {
    GreyPicture picture(13, 21, 7);
    picture.write("A7", 1, 2, 200);
    const std::uint8_t image[4] = {1, 2, 3, 4};
    picture.paste(image, 2, 2, 9, 17, 3);  // partly outside
    std::uint32_t width = 0, height = 0;
    EXPECT_EQ(decode_png(picture.png(), width, height), picture.pixels());
    EXPECT_EQ(width, 21U);
    EXPECT_EQ(height, 13U);
    EXPECT_EQ(picture.pixels()[9 * 21 + 20], 2);
}

TEST(Montage, ShowsLinesOfTheFile) {
    const test::TemporaryFolder folder;
    InspectOptions options = options_for({test::reference_file("raise_v1.1_C099.hdf5")});
    options.montage = folder.path("montage.png");
    (void)inspect(options);
    std::uint32_t width = 0, height = 0;
    const auto pixels = decode_png(read_file(options.montage), width, height);
    EXPECT_GT(width, 900U);
    EXPECT_GT(height, 300U);
    EXPECT_EQ(*std::max_element(pixels.begin(), pixels.end()), 255) << "a saturated melt pool";
}

TEST(Montage, RefusesFilesWithNothingToShow) {
    const test::TemporaryFolder folder;
    RawLayer unlabelled = plain_layer({0}, 0);
    InspectOptions options =
        options_for({test::write_file(folder.path("C001.hdf5"), {unlabelled})});
    options.montage = folder.path("montage.png");
    EXPECT_THROW((void)inspect(options), ConfigError);
}

TEST(Inspect, NamesThatSomebodyChoseAreShownAndNotObeyed) {
    const test::TemporaryFolder folder;
    const std::string object = "evil\x1b[2J\xe9";
    RawLayer wrong = plain_layer({0, 1}, 2, "/" + object + "/layer0001");
    wrong.parameters[2] = std::numeric_limits<double>::quiet_NaN();
    const std::string path =
        test::write_file(folder.path("new\nline.hdf5"),
                         {plain_layer({0, 1}, 2, "/" + object + "/layer0000"), wrong}, {object});
    const Inspection inspection = inspect(options_for({path}));
    EXPECT_THAT(inspection.files.at(0).objects, ElementsAre("evil\\u{1b}[2J\\x{e9}"));
    const std::string text = to_text(inspection);
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_THAT(text, HasSubstr("new\\u{a}line.hdf5\n"));
    EXPECT_THAT(text, HasSubstr("evil\\u{1b}[2J\\x{e9}/layer0001/laser_params'"));
    EXPECT_TRUE(Json::parse(to_json_text(inspection)).at("errors"));
}

}  // namespace
}  // namespace edgeloop::inspect_test
