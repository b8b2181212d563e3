// What a file refers to, or made room for, but does not hold: HDF5 answers with zeros, readers must
// not.
#include "apps/data/inspect.hpp"
#include "unit/data/raise_writer.hpp"
#include "unit/data/refusal.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/tensor_file.hpp"

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::missing_data_test {
namespace {

namespace fs = std::filesystem;
using test::expect_refused;
using test::plain_layer;
using test::read_all;

class MissingData : public testing::Test {
  protected:
    MissingData() {
        for (std::size_t i = 0; i < pixels_.size(); ++i)
            pixels_[i] = static_cast<std::uint8_t>(i / 30 + 1);
    }

    /// A recording of one layer of six frames in three lines whose frames a test adds itself.
    hdf5::Handle file_without_frames(const std::string& path) const {
        hdf5::Handle file = hdf5::create_file(path);
        const hdf5::Handle group = hdf5::create_group(file.get(), {path, "/layer0000"});
        const std::array<std::int64_t, 6> index = {0, 0, 1, 1, 2, 2};
        const std::array<double, 6> labels = {500, 200, 600, 210, 700, 220};
        hdf5::write_dataset(file.get(), {path, "/layer0000/scan_line_index"}, H5T_STD_I64LE,
                            H5T_NATIVE_INT64, {6}, index.data());
        hdf5::write_dataset(file.get(), {path, "/layer0000/laser_params"}, H5T_IEEE_F64LE,
                            H5T_NATIVE_DOUBLE, {3, 2}, labels.data());
        return file;
    }
    /// A dataset "frame" in the root: `frames` frames, the first of grey value `first`.
    std::string source(const std::string& name, std::uint64_t frames, std::uint64_t first,
                       const hdf5::Storage& storage = {}) const {
        const std::string path = folder_.path(name);
        hdf5::Handle file = hdf5::create_file(path);
        const hdf5::Dataset dataset = hdf5::create_dataset(file.get(), {path, "frame"},
                                                           H5T_STD_U8LE, {frames, 5, 6}, storage);
        hdf5::write_rows(dataset, 0, frames, H5T_NATIVE_UINT8, pixels_.data() + (first - 1) * 30);
        return path;
    }
    /// Creates the layer's frames from a list of properties.
    static hdf5::Handle add_frames(hid_t file, hid_t list, bool endless = false) {
        const hsize_t shape[] = {6, 5, 6}, most[] = {H5S_UNLIMITED, 5, 6};
        const hdf5::Handle space(H5Screate_simple(3, shape, endless ? most : nullptr), H5Sclose);
        hdf5::Handle dataset(H5Dcreate2(file, "/layer0000/frame", H5T_STD_U8LE, space.get(),
                                        H5P_DEFAULT, list, H5P_DEFAULT),
                             H5Dclose);
        EXPECT_TRUE(dataset.valid());
        return dataset;
    }
    static hdf5::Handle creation_list() { return {H5Pcreate(H5P_DATASET_CREATE), H5Pclose}; }

    /// Frames [first, first + count) of a recording come from the whole dataset of a source.
    static void map(hid_t list, std::uint64_t first, std::uint64_t count, const std::string& file,
                    const std::string& dataset = "frame") {
        const hsize_t shape[] = {6, 5, 6}, start[] = {first, 0, 0}, extent[] = {count, 5, 6};
        const hdf5::Handle target(H5Screate_simple(3, shape, nullptr), H5Sclose);
        const hdf5::Handle taken(H5Screate_simple(3, extent, nullptr), H5Sclose);
        H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, start, nullptr, extent, nullptr);
        ASSERT_GE(H5Pset_virtual(list, target.get(), file.c_str(), dataset.c_str(), taken.get()),
                  0);
    }
    /// Frames begin, begin + step, ... in blocks of `block` come from all of a source, however
    /// many.
    static void map_endless(hid_t list, std::uint64_t begin, std::uint64_t step,
                            std::uint64_t block, const std::string& file, bool numbered) {
        const hsize_t shape[] = {6, 5, 6}, most[] = {H5S_UNLIMITED, 5, 6};
        const hsize_t start[] = {begin, 0, 0}, stride[] = {step, 1, 1};
        const hsize_t count[] = {H5S_UNLIMITED, 1, 1}, size[] = {block, 5, 6};
        const hsize_t none[] = {0, 0, 0}, ones[] = {1, 1, 1};
        const hdf5::Handle target(H5Screate_simple(3, shape, most), H5Sclose);
        H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, start, stride, count, size);
        const hdf5::Handle taken(
            numbered ? H5Screate_simple(3, size, nullptr) : H5Screate_simple(3, shape, most),
            H5Sclose);
        if (!numbered) H5Sselect_hyperslab(taken.get(), H5S_SELECT_SET, none, ones, count, size);
        ASSERT_GE(H5Pset_virtual(list, target.get(), file.c_str(), "frame", taken.get()), 0);
    }
    std::string virtual_recording(const std::function<void(hid_t)>& map_sources,
                                  bool endless = false) const {
        const std::string path = folder_.path("C001.hdf5");
        hdf5::Handle file = file_without_frames(path);
        const hdf5::Handle list = creation_list();
        map_sources(list.get());
        { const hdf5::Handle dataset = add_frames(file.get(), list.get(), endless); }
        hdf5::close_written(file, path);
        return path;
    }
    /// Grey values of the six frames.
    static std::vector<int> greys(const std::string& path) {
        const auto file = open_recording(path);
        const LayerInfo layer = file->layers().at(0);
        std::vector<std::uint8_t> frames(layer.frames * 30);
        file->read_frames(layer, 0, layer.frames, frames.data());
        std::vector<int> result;
        for (std::size_t i = 0; i < layer.frames; ++i) result.push_back(frames[i * 30]);
        return result;
    }

    test::TemporaryFolder folder_;
    std::array<std::uint8_t, 6 * 30> pixels_{};
};

TEST_F(MissingData, AChunkThatWasNeverWrittenIsAnErrorWithItsIndex) {
    for (const bool latest : {false, true}) {
        for (const int deflate : {0, 4}) {
            const std::string path = folder_.path("C001.hdf5");
            hdf5::Handle file = file_without_frames(path);
            if (latest) H5Fset_libver_bounds(file.get(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
            {
                const hdf5::Dataset frames =
                    hdf5::create_dataset(file.get(), {path, "/layer0000/frame"}, H5T_STD_U8LE,
                                         {6, 5, 6}, {{2, 5, 3}, deflate});
                hdf5::write_rows(frames, 0, 2, H5T_NATIVE_UINT8, pixels_.data());
                hdf5::write_rows(frames, 4, 2, H5T_NATIVE_UINT8, pixels_.data());
            }
            hdf5::close_written(file, path);
            expect_refused(path, "/layer0000/frame",
                           "2 of its 6 chunks were never written, the first at index (2, 0, 0)");
        }
    }
}

TEST_F(MissingData, DatasetsThatWereNeverWrittenAreErrors) {
    for (const char* name : {"frame", "scan_line_index", "laser_params"}) {
        const std::string path = folder_.path("C001.hdf5");
        test::write_file(path, {plain_layer({0, 1, 2}, 3)});
        const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        ASSERT_GE(file, 0);
        const std::string object = fmt::format("/layer0000/{}", name);
        {
            const hdf5::Handle old(H5Dopen2(file, object.c_str(), H5P_DEFAULT), H5Dclose);
            const hdf5::Handle type(H5Dget_type(old.get()), H5Tclose);
            const hdf5::Handle space(H5Dget_space(old.get()), H5Sclose);
            H5Ldelete(file, object.c_str(), H5P_DEFAULT);
            const hdf5::Handle fresh(H5Dcreate2(file, object.c_str(), type.get(), space.get(),
                                                H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                                     H5Dclose);
            ASSERT_TRUE(fresh.valid());
        }
        H5Fclose(file);
        expect_refused(path, object, "nothing was ever written");
    }
}

TEST_F(MissingData, VirtualFramesWithAllTheirSourcesAreRead) {
    source("a.h5", 4, 1);
    source("b.h5", 2, 5, {{1, 5, 6}, 3});
    const std::string path = virtual_recording([](hid_t list) {
        map(list, 0, 4, "a.h5");
        map(list, 4, 2, "b.h5");
    });
    EXPECT_THAT(greys(path), testing::ElementsAre(1, 2, 3, 4, 5, 6));
    const std::set<std::string> files = open_recording(path)->layers().at(0).files;
    EXPECT_EQ(files, (std::set<std::string>{path, folder_.path("a.h5"), folder_.path("b.h5")}));
}

TEST_F(MissingData, VirtualFramesWithoutASourceAreAnErrorThatNamesIt) {
    source("a.h5", 4, 1);
    const std::string path = virtual_recording([](hid_t list) {
        map(list, 0, 4, "a.h5");
        map(list, 4, 2, "b.h5");
    });
    expect_refused(path, "/layer0000/frame", "from the file 'b.h5', which is not there");
    source("b.h5", 1, 5);
    expect_refused(path, "/layer0000/frame", "its shape is (1, 5, 6)");
    { hdf5::Handle other = hdf5::create_file(folder_.path("b.h5")); }
    expect_refused(path, "b.h5', 'frame': the dataset is missing", "/layer0000/frame");
    write_file_atomic(folder_.path("b.h5"), "not HDF5");
    expect_refused(path, "/layer0000/frame", "b.h5': not a readable HDF5 file");
}

TEST_F(MissingData, VirtualFramesThatNoSourceGivesAreAnError) {
    source("a.h5", 4, 1);
    expect_refused(virtual_recording([](hid_t list) { map(list, 0, 4, "a.h5"); }),
                   "/layer0000/frame", "60 of its elements come from no source");
    // As many elements as the dataset has, but two frames twice and two not at all.
    source("b.h5", 2, 5);
    expect_refused(virtual_recording([](hid_t list) {
                       map(list, 0, 4, "a.h5");
                       map(list, 2, 2, "b.h5");
                   }),
                   "/layer0000/frame", "60 of its elements come from no source");
}

TEST_F(MissingData, AHoleInASourceIsAnError) {
    const std::string path = folder_.path("a.h5");
    hdf5::Handle file = hdf5::create_file(path);
    {
        const hdf5::Dataset frames = hdf5::create_dataset(file.get(), {path, "frame"}, H5T_STD_U8LE,
                                                          {6, 5, 6}, {{3, 5, 6}, 0});
        hdf5::write_rows(frames, 0, 3, H5T_NATIVE_UINT8, pixels_.data());
    }
    hdf5::close_written(file, path);
    const std::string recording = virtual_recording([](hid_t list) { map(list, 0, 6, "a.h5"); });
    expect_refused(recording, "a.h5', 'frame': 1 of its 2 chunks were never written",
                   "/layer0000/frame");
}

TEST_F(MissingData, NumberedSourcesAreReadAndAGapIsAnError) {
    for (int part = 0; part < 3; ++part)
        source(fmt::format("part-{}.h5", part), 2, std::uint64_t(2 * part + 1));
    const std::string path =
        virtual_recording([](hid_t list) { map_endless(list, 0, 2, 2, "part-%b.h5", true); }, true);
    EXPECT_THAT(greys(path), testing::ElementsAre(1, 2, 3, 4, 5, 6));
    fs::remove(folder_.path("part-1.h5"));
    expect_refused(path, "/layer0000/frame", "from the file 'part-1.h5', which is not there");
}

TEST_F(MissingData, SourcesThatGrowMustEndTogether) {
    const auto growing = [this](const std::string& name, std::uint64_t frames) {
        const std::string path = folder_.path(name);
        hdf5::Handle file = hdf5::create_file(path);
        const hdf5::Handle list = creation_list();
        const hsize_t shape[] = {frames, 5, 6}, most[] = {H5S_UNLIMITED, 5, 6};
        const hsize_t chunk[] = {1, 5, 6};
        H5Pset_chunk(list.get(), 3, chunk);
        const hdf5::Handle space(H5Screate_simple(3, shape, most), H5Sclose);
        const hdf5::Handle dataset(H5Dcreate2(file.get(), "frame", H5T_STD_U8LE, space.get(),
                                              H5P_DEFAULT, list.get(), H5P_DEFAULT),
                                   H5Dclose);
        ASSERT_GE(H5Dwrite(dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                           pixels_.data()),
                  0);
    };
    growing("even.h5", 3);
    growing("odd.h5", 3);
    const std::string path = virtual_recording(
        [](hid_t list) {
            map_endless(list, 0, 2, 1, "even.h5", false);
            map_endless(list, 1, 2, 1, "odd.h5", false);
        },
        true);
    EXPECT_THAT(greys(path), testing::ElementsAre(1, 1, 2, 2, 3, 3));
    growing("even.h5", 2);
    expect_refused(path, "/layer0000/frame", "its shape is (2, 5, 6)");
}

TEST_F(MissingData, ExternalFilesMustBeThereAndLongEnough) {
    const std::string raw = folder_.path("frames.raw");
    const std::string path = folder_.path("C001.hdf5");
    hdf5::Handle file = file_without_frames(path);
    const hdf5::Handle list = creation_list();
    H5Pset_external(list.get(), raw.c_str(), 10, 180);
    { const hdf5::Handle dataset = add_frames(file.get(), list.get()); }
    hdf5::close_written(file, path);
    expect_refused(path, "/layer0000/frame", "frames.raw', which cannot be read: No such file");
    write_file_atomic(raw, std::string(189, 'x'));
    expect_refused(path, "/layer0000/frame", "frames.raw', which has 189 bytes of 190");
    write_file_atomic(raw, std::string(190, 'x'));
    EXPECT_THAT(greys(path), testing::ElementsAre('x', 'x', 'x', 'x', 'x', 'x'));
}

TEST_F(MissingData, LinksThatLeadNowhereAreErrorsWhereLayersAre) {
    const std::string path = folder_.path("C001.hdf5");
    const auto with_link = [&](const std::string& layer, const std::string& at, bool external) {
        test::write_file(path, {plain_layer({0, 1}, 2, layer)}, {"C001"});
        const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        H5Ldelete(file, at.c_str(), H5P_DEFAULT);
        H5Eclear2(H5E_DEFAULT);
        if (external)
            H5Lcreate_external("gone.h5", "/other", file, at.c_str(), H5P_DEFAULT, H5P_DEFAULT);
        else
            H5Lcreate_soft("/gone", file, at.c_str(), H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
    };
    for (const std::string layer : {"/layer0000", "/C001/layer0000"})
        for (const std::string& at :
             {layer + "/frame", layer + "/scan_line_index", layer + "/laser_params",
              layer.substr(0, layer.size() - 1) + "7"})
            for (const bool external : {false, true}) {
                with_link(layer, at, external);
                expect_refused(path, at,
                               external
                                   ? "is a link to '/other' in the file 'gone.h5', which cannot"
                                   : "is a link to '/gone', which is not there");
            }
    with_link("/C001/layer0000", "/C002", true);
    expect_refused(path, "/C002", "gone.h5");
    with_link("/layer0000", "/C001/image", true);
    EXPECT_NO_THROW(read_all(path)) << "no layer could be there";
}

TEST_F(MissingData, ALinkToAnotherFileIsFollowed) {
    const std::string other =
        test::write_file(folder_.path("other.h5"), {plain_layer({0, 1}, 2, "/layer0003")});
    const std::string path = test::write_file(folder_.path("C001.hdf5"), {plain_layer({0, 1}, 2)});
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/layer0003", file, "/layer0001", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    const auto recording = open_recording(path);
    ASSERT_EQ(recording->layers().size(), 2U);
    EXPECT_EQ(recording->layers()[1].files, std::set<std::string>{other});
}

TEST_F(MissingData, InspectListsItAndReadsOn) {
    const std::string path = folder_.path("C001.hdf5");
    test::write_file(path,
                     {plain_layer({0, 1}, 2, "/layer0000"), plain_layer({0, 1}, 2, "/layer0002")});
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Lcreate_external("gone.h5", "/", file, "/layer0001", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    InspectOptions options;
    options.input = {path};
    const Inspection inspection = inspect(options);
    EXPECT_EQ(inspection.files.at(0).frames, 4U);
    ASSERT_EQ(inspection.files[0].problems.size(), 1U);
    EXPECT_THAT(inspection.files[0].problems[0].text, testing::HasSubstr("gone.h5"));
    EXPECT_TRUE(inspection.has_errors());
}

TEST_F(MissingData, TensorsBehindABrokenLinkOrNeverWrittenAreErrors) {
    const std::string path = folder_.path("weights.h5");
    hdf5::Handle file = hdf5::create_file(path);
    H5Lcreate_external("gone.h5", "/", file.get(), "/weights", H5P_DEFAULT, H5P_DEFAULT);
    {
        const hdf5::Dataset never =
            hdf5::create_dataset(file.get(), {path, "input"}, H5T_IEEE_F32LE, {4}, {{2}, 0});
    }
    hdf5::close_written(file, path);
    const TensorFile tensors(path);
    EXPECT_EQ(tensors.read("/other"), std::nullopt);
    EXPECT_THROW((void)tensors.read("/weights/head.weight"), ConfigError);
    EXPECT_THROW((void)tensors.read_group("/weights"), ConfigError);
    EXPECT_THROW((void)tensors.read("input"), ConfigError);
}

}  // namespace
}  // namespace edgeloop::missing_data_test
