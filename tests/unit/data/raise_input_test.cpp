// Files as users have them: odd but valid ones are read, wrong ones are refused with their place.
#include "unit/data/raise_writer.hpp"
#include "unit/data/refusal.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/recording.hpp"

#include <filesystem>
#include <functional>
#include <limits>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop::raise_input_test {
namespace {

using test::expect_refused;
using test::plain_layer;
using test::RawLayer;
using test::read_all;
using testing::ElementsAre;

class RaiseInput : public testing::Test {
  protected:
    std::string write(const RawLayer& layer) {
        return test::write_file(folder_.path("C001.hdf5"), {layer});
    }
    /// Grey values of the frames of each line, by position of the line.
    static std::map<std::size_t, std::vector<int>> greys(const Recording& file) {
        std::map<std::size_t, std::vector<int>> result;
        const LayerInfo layer = file.layer(file.groups().at(0));
        const LineIndex index = file.line_index(layer);
        file.for_each_line(layer, index, 0, index.lines(), Crop::published, [&](CroppedLine& line) {
            EXPECT_EQ(line.centre.row, 0) << "first of equals in row-major order";
            EXPECT_EQ(line.centre.column, 0);
            for (std::size_t i = 0; i < line.frames; ++i)
                result[line.line].push_back(
                    line.pixels[i * crop_pixels + 20 * crop_side + 20]);  // the centre
        });
        return result;
    }

    test::TemporaryFolder folder_;
};

TEST_F(RaiseInput, InterleavedAndUnsortedIndices) {
    const auto file = open_recording(write(plain_layer({2, 0, 2, 1, 0, 2}, 3)));
    const auto lines = greys(*file);
    EXPECT_THAT(lines.at(0), ElementsAre(2, 5));
    EXPECT_THAT(lines.at(1), ElementsAre(4));
    EXPECT_THAT(lines.at(2), ElementsAre(1, 3, 6));
}

TEST_F(RaiseInput, AnyIntegerTypeOfTheIndex) {
    for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_U32LE, H5T_STD_I64BE}) {
        RawLayer layer = plain_layer({1, 0, 1}, 2);
        layer.index_type = type;
        const auto lines = greys(*open_recording(write(layer)));
        EXPECT_THAT(lines.at(0), ElementsAre(2));
        EXPECT_THAT(lines.at(1), ElementsAre(1, 3));
    }
}

TEST_F(RaiseInput, AnyChunkingAndCompression) {
    const std::vector<std::int64_t> index = {0, 1, 0, 1, 1, 0, 0};
    std::vector<hdf5::Storage> storages(4);
    storages[1].chunk = {1, 5, 6};
    storages[2] = {{3, 2, 4}, 4};
    storages[3] = {{100, 5, 6}, 9};
    for (hdf5::Storage& storage : storages) {
        RawLayer layer = plain_layer(index, 2);
        if (!storage.chunk.empty()) storage.chunk[0] = std::min<std::uint64_t>(storage.chunk[0], 7);
        layer.frame_storage = storage;
        const auto lines = greys(*open_recording(write(layer)));
        EXPECT_THAT(lines.at(0), ElementsAre(1, 3, 6, 7));
        EXPECT_THAT(lines.at(1), ElementsAre(2, 4, 5));
    }
}

TEST_F(RaiseInput, LinesWithoutFramesAndFramesWithoutLine) {
    const auto file = open_recording(write(plain_layer({-1, 3, 3, -7}, 5)));
    const LayerInfo layer = file->layer(file->groups()[0]);
    const LineIndex index = file->line_index(layer);
    EXPECT_EQ(index.lines(), 5U);
    EXPECT_EQ(index.without_line, 2U);
    EXPECT_EQ(index.frames_of(0), 0U);
    const auto lines = greys(*file);
    EXPECT_EQ(lines.size(), 1U);
    EXPECT_THAT(lines.at(3), ElementsAre(2, 3));
}

TEST_F(RaiseInput, UnlabelledLayersHaveTheLinesOfTheirIndex) {
    RawLayer raw = plain_layer({70, 5, 70, 9000000000}, 0);
    const auto file = open_recording(write(raw));
    const LayerInfo layer = file->layer(file->groups()[0]);
    EXPECT_FALSE(layer.labelled);
    const LineIndex index = file->line_index(layer);
    EXPECT_THAT(index.numbers, ElementsAre(5, 70, 9000000000));
    EXPECT_TRUE(file->labels(layer).empty());
    EXPECT_THAT(greys(*file).at(1), ElementsAre(1, 3));
}

TEST_F(RaiseInput, LayersOutOfOrderAreReadByName) {
    const std::string path =
        test::write_file(folder_.path("C001.hdf5"),
                         {plain_layer({0}, 1, "/layer0010"), plain_layer({0}, 1, "/layer0002"),
                          plain_layer({0}, 1, "/layer0007")});
    std::vector<std::string> names;
    const auto file = open_recording(path);
    for (const LayerGroup& group : file->groups()) names.push_back(group.layer);
    EXPECT_THAT(names, ElementsAre("layer0002", "layer0007", "layer0010"));
}

TEST_F(RaiseInput, LinesLargerThanTheMemoryBudgetAreReadInTwoSweeps) {
    // One line of 60 frames of 1000 x 1000 bytes, brightest in one corner of one frame.
    RawLayer layer;
    layer.frame_shape = {60, 1000, 1000};
    layer.frame_storage.chunk = {4, 250, 250};
    layer.frame_storage.deflate = 1;
    layer.index.assign(60, 0);
    layer.parameters = {500, 200};
    layer.pixels.assign(60'000'000, 3);
    layer.pixels[std::size_t(59) * 1'000'000 + 700 * 1000 + 12] = 200;
    const auto file = open_recording(write(layer));
    const LayerInfo info = file->layer(file->groups()[0]);
    std::size_t seen = 0;
    file->for_each_line(info, file->line_index(info), 0, 1, Crop::published,
                        [&](CroppedLine& line) {
                            ++seen;
                            EXPECT_EQ(line.centre.row, 700);
                            EXPECT_EQ(line.centre.column, 12);
                            EXPECT_EQ(line.frames, 60U);
                            const std::uint8_t* last = line.pixels.data() + 59 * crop_pixels;
                            EXPECT_EQ(last[20 * crop_side + 20], 200);
                            EXPECT_EQ(last[20 * crop_side + 8], 3) << "column 0 of the image";
                            EXPECT_EQ(last[20 * crop_side + 7], 0) << "left of the image";
                        });
    EXPECT_EQ(seen, 1U);
}

TEST_F(RaiseInput, ACausalCropNeedsTheFirstFramesAlone) {
    // Saturated at rows 10 to 12, columns 20 to 23, at first; later brightest elsewhere.
    RawLayer layer = plain_layer(std::vector<std::int64_t>(20, 0), 1);
    layer.frame_shape = {20, 40, 50};
    layer.pixels.assign(std::size_t(20) * 40 * 50, 5);
    const auto light = [&](std::size_t frame, std::size_t row, std::size_t column) {
        layer.pixels[(frame * 40 + row) * 50 + column] = 255;
    };
    for (std::size_t frame = 0; frame < 20; ++frame)
        for (std::size_t row = 10; row < 13; ++row)
            for (std::size_t column = 20; column < 24; ++column)
                frame < causal_frames ? light(frame, row, column) : light(frame, row + 20, column);
    const auto file = open_recording(write(layer));
    const LayerInfo info = file->layer(file->groups()[0]);
    std::vector<PixelPosition> centres;
    for (const Crop crop : {Crop::causal, Crop::published})
        file->for_each_line(info, file->line_index(info), 0, 1, crop,
                            [&](CroppedLine& line) { centres.push_back(line.centre); });
    ASSERT_EQ(centres.size(), 2U);
    EXPECT_EQ(centres[0].row, 11) << "the middle of the saturated pixels";
    EXPECT_EQ(centres[0].column, 22);
    EXPECT_EQ(centres[1].row, 30) << "the first of the saturated pixels of most frames";
    EXPECT_EQ(centres[1].column, 20);
}

TEST_F(RaiseInput, RefusesWrongRanksAndTypes) {
    RawLayer layer = plain_layer({0, 0, 1}, 2);
    layer.frame_shape = {3, 30};
    expect_refused(write(layer), "/layer0000/frame", "not (frames, height, width)");
    layer = plain_layer({0, 0, 1}, 2);
    layer.frame_type = H5T_STD_U16LE;
    expect_refused(write(layer), "/layer0000/frame", "unsigned 8-bit");
    layer.frame_type = H5T_STD_I8LE;
    expect_refused(write(layer), "/layer0000/frame", "unsigned 8-bit");
    layer = plain_layer({0, 0, 1}, 2);
    layer.index_type = H5T_IEEE_F64LE;
    expect_refused(write(layer), "/layer0000/scan_line_index", "must be integers");
    layer = plain_layer({0, 0, 1}, 2);
    layer.index.push_back(1);
    expect_refused(write(layer), "/layer0000/scan_line_index", "does not match the 3 frames");
    layer = plain_layer({0, 0, 1}, 2);
    layer.parameter_type = H5T_STD_I32LE;
    expect_refused(write(layer), "/layer0000/laser_params", "floating-point");
    layer = plain_layer({0, 0, 1}, 2);
    layer.parameter_shape = {4};
    expect_refused(write(layer), "/layer0000/laser_params", "not (lines, 2)");
}

TEST_F(RaiseInput, RefusesIndicesPastLaserParams) {
    expect_refused(write(plain_layer({0, 1, 2}, 2)), "/layer0000/scan_line_index",
                   "frame 2 belongs to line 2, but there are targets for 2 lines");
}

TEST_F(RaiseInput, RefusesUnusableLabels) {
    for (const double value : {std::numeric_limits<double>::quiet_NaN(),
                               std::numeric_limits<double>::infinity(), 0.0, -5.0, 1e30}) {
        RawLayer layer = plain_layer({0, 1}, 2);
        layer.parameter_type = H5T_IEEE_F64LE;
        layer.parameters[3] = value;
        expect_refused(write(layer), "/layer0000/laser_params", "line 1 has speed");
    }
}

TEST_F(RaiseInput, RefusesMissingDatasets) {
    const std::string path = folder_.path("C001.hdf5");
    hdf5::Handle file = hdf5::create_file(path);
    const hdf5::Handle group = hdf5::create_group(file.get(), {path, "/layer0000"});
    const std::uint8_t pixels[30] = {};
    hdf5::write_dataset(file.get(), {path, "/layer0000/frame"}, H5T_STD_U8LE, H5T_NATIVE_UINT8,
                        {1, 5, 6}, pixels);
    hdf5::close_written(file, path);
    expect_refused(path, "/layer0000/scan_line_index", "missing");
}

TEST_F(RaiseInput, RefusesFilesWithoutLayers) {
    const std::string path = folder_.path("C001.hdf5");
    hdf5::Handle file = hdf5::create_file(path);
    hdf5::close_written(file, path);
    expect_refused(path, "", "has no layer");
}

TEST_F(RaiseInput, RefusesWhatIsNotAnHdf5File) {
    expect_refused(folder_.path("nowhere.hdf5"), "", "does not exist");
    expect_refused(folder_.root(), "", "is a directory");
    write_file_atomic(folder_.path("empty.hdf5"), "");
    expect_refused(folder_.path("empty.hdf5"), "", "is empty");
    write_file_atomic(folder_.path("text.hdf5"), std::string(5000, 'x'));
    expect_refused(folder_.path("text.hdf5"), "", "not a readable HDF5 file");
    ASSERT_EQ(::mkfifo(folder_.path("pipe.hdf5").c_str(), 0600), 0);
    expect_refused(folder_.path("pipe.hdf5"), "", "is not a regular file");
}

TEST_F(RaiseInput, RefusesFilesWithoutReadPermission) {
    const std::string path = write(plain_layer({0}, 1));
    std::filesystem::permissions(path, std::filesystem::perms::none);
    const uid_t self = ::geteuid(), nobody = 65534;
    if (self == 0) {
        ASSERT_EQ(::seteuid(nobody), 0);  // root may read everything
    }
    EXPECT_THROW((void)open_recording(path), IoError);
    ASSERT_EQ(::seteuid(self), 0);
}

TEST_F(RaiseInput, RefusesTruncatedFilesAtAnyLength) {
    const std::string whole = read_file(test::reference_file("raise_v1.1_C099.hdf5"));
    const std::string path = folder_.path("C099.hdf5");
    for (std::size_t cut = 1; cut <= 20; ++cut) {
        write_file_atomic(path, whole.substr(0, whole.size() * cut / 21),
                          Durability::process_crash);
        EXPECT_THROW(read_all(path), ConfigError) << "cut " << cut;
    }
}

TEST_F(RaiseInput, DamagedFilesEndInAnErrorOrInNothing) {
    const std::string whole = read_file(test::reference_file("raise_v1.1_C099.hdf5"));
    const std::string path = folder_.path("C099.hdf5");
    std::size_t refused = 0;
    for (std::size_t i = 0; i < 60; ++i) {
        std::string damaged = whole;
        // Half the damage goes to the metadata at the front, half anywhere.
        const std::size_t at = i % 2 == 0 ? (i * 97) % 4096 : (i * 12289) % whole.size();
        for (std::size_t k = at; k < std::min(at + 16, damaged.size()); ++k)
            damaged[k] = static_cast<char>(damaged[k] ^ 0x5a);
        write_file_atomic(path, damaged, Durability::process_crash);
        try {
            read_all(path);
        } catch (const ConfigError&) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 10U);
}

TEST_F(RaiseInput, ExpandsPatternsInOrderAndOnce) {
    for (const char* name : {"C003.hdf5", "C001.hdf5", "C002.hdf5", "notes.txt"})
        write_file_atomic(folder_.path(name), "x");
    EXPECT_THAT(expand_files({folder_.path("C00?.hdf5")}),
                ElementsAre(folder_.path("C001.hdf5"), folder_.path("C002.hdf5"),
                            folder_.path("C003.hdf5")));
    EXPECT_THAT(expand_files({folder_.path("C003.hdf5"), folder_.path("*.hdf5")}),
                ElementsAre(folder_.path("C003.hdf5"), folder_.path("C001.hdf5"),
                            folder_.path("C002.hdf5")));
    EXPECT_THROW((void)expand_files({folder_.path("*.h5")}), ConfigError);
    EXPECT_THROW((void)expand_files({}), ConfigError);
}

}  // namespace
}  // namespace edgeloop::raise_input_test
