// What a recording may refer to, and how much it may make of little: a hostile one is refused
// before anything is read, and nothing is waited for. Where pipes are opened, these tests hang.
#include "unit/data/raise_writer.hpp"
#include "unit/data/refusal.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/tensor_file.hpp"

#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace edgeloop::external_data_test {
namespace {

namespace fs = std::filesystem;
using test::expect_refused;
using test::plain_layer;
using test::read_all;

constexpr const char* outside = "outside the recording's folder";

class ExternalData : public testing::Test {
  protected:
    ExternalData() {
        for (const char* folder : {"own/parts", "own/.hidden", "elsewhere"})
            fs::create_directories(folder_.path(folder));
        write_recording();
    }

    [[nodiscard]] std::string own(const std::string& name) const {
        return folder_.path("own/" + name);
    }
    [[nodiscard]] std::string elsewhere(const std::string& name) const {
        return folder_.path("elsewhere/" + name);
    }
    /// A layer of three frames, lines and labels.
    void write_recording() const { test::write_file(path_, {plain_layer({0, 1, 2}, 3)}); }

    void change(const std::function<void(hid_t)>& change) const {
        const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        ASSERT_GE(file, 0);
        change(file);
        ASSERT_GE(H5Fclose(file), 0);
    }
    /// Creates a dataset of the recording anew, from a list of properties that `set` fills.
    void replace(const std::string& object, const std::function<void(hid_t list, hid_t space)>& set,
                 bool endless = false) const {
        change([&](hid_t file) {
            hdf5::Handle type, space;
            {
                const hdf5::Handle old(H5Dopen2(file, object.c_str(), H5P_DEFAULT), H5Dclose);
                type = hdf5::Handle(H5Dget_type(old.get()), H5Tclose);
                space = hdf5::Handle(H5Dget_space(old.get()), H5Sclose);
            }
            ASSERT_GE(H5Ldelete(file, object.c_str(), H5P_DEFAULT), 0);
            if (endless) {
                const hsize_t shape[] = {3, 5, 6}, most[] = {H5S_UNLIMITED, 5, 6};
                space = hdf5::Handle(H5Screate_simple(3, shape, most), H5Sclose);
            }
            const hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
            set(list.get(), space.get());
            const hdf5::Handle fresh(H5Dcreate2(file, object.c_str(), type.get(), space.get(),
                                                H5P_DEFAULT, list.get(), H5P_DEFAULT),
                                     H5Dclose);
            ASSERT_TRUE(fresh.valid());
        });
    }
    void store_in(const std::string& object, const std::string& raw) const {
        replace(object, [&](hid_t list, hid_t) {
            ASSERT_GE(H5Pset_external(list, raw.c_str(), 0, H5F_UNLIMITED), 0);
        });
    }
    static std::string raw_file(const std::string& path) {
        write_file_atomic(path, std::string(200, 'x'));
        return path;
    }
    static std::string pipe(const std::string& path) {
        EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
        return path;
    }
    void take_from(const std::string& source,
                   const std::string& dataset = "/layer0000/frame") const {
        replace("/layer0000/frame", [&](hid_t list, hid_t space) {
            ASSERT_GE(H5Pset_virtual(list, space, source.c_str(), dataset.c_str(), space), 0);
        });
    }
    /// As many frames as the source has; numbered: in blocks of one from sources of one.
    void take_all_from(const std::string& source, bool numbered) const {
        const auto set = [&](hid_t list, hid_t) {
            const hsize_t shape[] = {3, 5, 6}, most[] = {H5S_UNLIMITED, 5, 6};
            const hsize_t none[] = {0, 0, 0}, ones[] = {1, 1, 1};
            const hsize_t count[] = {H5S_UNLIMITED, 1, 1}, frame[] = {1, 5, 6};
            const hdf5::Handle target(H5Screate_simple(3, shape, most), H5Sclose);
            H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, none, ones, count, frame);
            const hdf5::Handle taken(
                numbered ? H5Screate_simple(3, frame, nullptr) : H5Screate_simple(3, shape, most),
                H5Sclose);
            if (!numbered)
                H5Sselect_hyperslab(taken.get(), H5S_SELECT_SET, none, ones, count, frame);
            ASSERT_GE(H5Pset_virtual(list, target.get(), source.c_str(), "frame", taken.get()), 0);
        };
        replace("/layer0000/frame", set, true);
    }
    void link(const std::string& at, const std::string& file, const std::string& target) const {
        change([&](hid_t opened) {
            H5Ldelete(opened, at.c_str(), H5P_DEFAULT);
            H5Eclear2(H5E_DEFAULT);
            ASSERT_GE(H5Lcreate_external(file.c_str(), target.c_str(), opened, at.c_str(),
                                         H5P_DEFAULT, H5P_DEFAULT),
                      0);
        });
    }

    test::TemporaryFolder folder_;
    std::string path_ = folder_.path("own/C001.hdf5");
};

TEST_F(ExternalData, StorageOutsideOfTheFolderIsRefusedForEveryDataset) {
    const std::string secret = raw_file(elsewhere("secret"));
    for (const char* object :
         {"/layer0000/frame", "/layer0000/scan_line_index", "/layer0000/laser_params"}) {
        write_recording();
        store_in(object, secret);
        expect_refused(path_, object, "its data are in the file '" + secret + "', which is '");
        expect_refused(path_, object, outside);
    }
    write_recording();
    store_in("/layer0000/frame", secret);
    EXPECT_NO_THROW(read_all(path_, External::allow));
}

TEST_F(ExternalData, StorageInsideOfItIsReadUnlessItIsHiddenOrLeadsOut) {
    const auto expect = [&](const std::string& raw, bool read) {
        write_recording();
        store_in("/layer0000/frame", raw);
        if (read)
            EXPECT_NO_THROW(read_all(path_)) << raw;
        else
            expect_refused(path_, "/layer0000/frame", outside);
    };
    expect(raw_file(own("frames.raw")), true);
    expect(raw_file(own("parts/frames.raw")), true);
    expect(own("parts/../frames.raw"), true);
    expect(raw_file(own(".hidden/key")), false);
    expect(raw_file(own(".key")), false);
    raw_file(elsewhere("secret"));
    expect(own("../elsewhere/secret"), false);
    fs::create_symlink("frames.raw", own("link.raw"));
    expect(own("link.raw"), true);
    fs::create_symlink(elsewhere("secret"), own("out.raw"));
    expect(own("out.raw"), false);
    fs::create_directory_symlink(folder_.path("elsewhere"), own("out"));
    expect(own("out/secret"), false);
    // A folder whose name only begins alike is another one.
    fs::create_directories(folder_.path("own-other"));
    expect(raw_file(folder_.path("own-other/frames.raw")), false);
}

TEST_F(ExternalData, TheFolderIsThatOfTheFileAndNotOfALinkToIt) {
    fs::create_symlink(path_, elsewhere("C001.hdf5"));
    store_in("/layer0000/frame", raw_file(own("frames.raw")));
    EXPECT_NO_THROW(read_all(elsewhere("C001.hdf5")));
    write_recording();
    store_in("/layer0000/frame", raw_file(elsewhere("secret")));
    expect_refused(elsewhere("C001.hdf5"), "/layer0000/frame", outside);
}

TEST_F(ExternalData, PipesAndDevicesAreRefusedWhateverIsAllowed) {
    for (const std::string& raw : {pipe(own("pipe")), std::string("/dev/zero")}) {
        write_recording();
        store_in("/layer0000/scan_line_index", raw);
        for (const External external : {External::refuse, External::allow})
            expect_refused(path_, "/layer0000/scan_line_index",
                           "'" + raw + "', which is no regular file", external);
        write_recording();
        link("/layer0001", raw, "/layer0000");
        for (const External external : {External::refuse, External::allow})
            expect_refused(path_, "/layer0001", "which is no regular file", external);
        write_recording();
        take_all_from(raw, false);
        for (const External external : {External::refuse, External::allow})
            expect_refused(path_, "/layer0000/frame", "which is no regular file", external);
        write_recording();
        take_from(raw);
        expect_refused(path_, "/layer0000/frame", "which is no regular file", External::allow);
    }
    pipe(own("part-1"));
    write_recording();
    take_all_from("part-%b", true);
    expect_refused(path_, "/layer0000/frame", "'part-1', which is no regular file");
}

TEST_F(ExternalData, LinksOutOfTheFolderAreRefusedWhereverTheyAre) {
    test::write_file(elsewhere("other.h5"), {plain_layer({0, 1, 2}, 3)});
    for (const std::string at : {"/layer0000/frame", "/layer0000/scan_line_index",
                                 "/layer0000/laser_params", "/layer0000", "/layer0007", "/C002"}) {
        const bool is_group = at.rfind('/') == 0;
        write_recording();
        link(at, "../elsewhere/other.h5", is_group ? "/layer0000" : at);
        expect_refused(path_, "'" + at + "' is a link to '", outside);
        EXPECT_NO_THROW(read_all(path_, External::allow)) << at;
    }
    // Step by step, and from a file that may be read.
    write_recording();
    link("/out", elsewhere("other.h5"), "/");
    change([](hid_t file) {
        H5Lcreate_soft("/out/layer0000", file, "/layer0003", H5P_DEFAULT, H5P_DEFAULT);
    });
    expect_refused(path_, "/layer0003/frame", "'/out' is a link to '/'");
    test::write_file(own("neighbour.h5"), {plain_layer({0, 1, 2}, 3)});
    fs::rename(path_, own("first.h5"));
    fs::rename(own("neighbour.h5"), path_);
    link("/layer0001", "first.h5", "/layer0003");
    expect_refused(path_, "/layer0001", outside);
}

TEST_F(ExternalData, SoftLinksAreFollowedAndCirclesEnd) {
    change([](hid_t file) {
        H5Lcreate_soft("layer0000", file, "/layer0001", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_soft("/layer0001", file, "/layer0002", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_soft("/", file, "/layer0000/root", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_soft("layer0002/root/layer0000/./", file, "/layer0003", H5P_DEFAULT, H5P_DEFAULT);
    });
    auto recording = open_recording(path_);
    ASSERT_EQ(recording->layers().size(), 4U);
    EXPECT_EQ(recording->layers()[3].frames, 3U);
    recording.reset();  // HDF5 does not open for writing what it has open for reading
    change([](hid_t file) {
        H5Lcreate_soft("/layer0005", file, "/layer0004", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_soft("/layer0004", file, "/layer0005", H5P_DEFAULT, H5P_DEFAULT);
    });
    expect_refused(path_, "/layer0004", "too many links in a row");
}

TEST_F(ExternalData, SourcesOutsideOfTheFolderAreRefused) {
    test::write_file(elsewhere("source.h5"), {plain_layer({0, 1, 2}, 3)});
    for (const std::string& name :
         {elsewhere("source.h5"), std::string("../elsewhere/source.h5")}) {
        write_recording();
        take_from(name);
        expect_refused(path_, "/layer0000/frame", "it takes data from the file '" + name);
        expect_refused(path_, "/layer0000/frame", outside);
        EXPECT_NO_THROW(read_all(path_, External::allow));
    }
    test::write_file(own("source.h5"), {plain_layer({0, 1, 2}, 3)});
    write_recording();
    take_from("source.h5");
    EXPECT_NO_THROW(read_all(path_));
}

TEST_F(ExternalData, WhatASourceRefersToCountsAsWell) {
    const std::string source = own("source.h5"), recording = path_;
    const auto expect = [&](const std::string& says) {
        path_ = recording;
        write_recording();
        take_from("source.h5");
        expect_refused(path_, "/layer0000/frame", says);
        path_ = source;
    };
    raw_file(elsewhere("secret"));
    test::write_file(elsewhere("other.h5"), {plain_layer({0, 1, 2}, 3)});
    path_ = source;
    write_recording();
    store_in("/layer0000/frame", elsewhere("secret"));
    expect(outside);
    write_recording();
    link("/layer0000", "../elsewhere/other.h5", "/layer0000");
    expect(outside);
    write_recording();
    take_from(elsewhere("other.h5"));
    expect(outside);
    write_recording();
    take_from(recording);  // and so on
    expect("too often");
}

TEST_F(ExternalData, ChunksThatAreTooLargeToBeReadWholeAreRefused) {
    const auto with_chunk = [&](std::uint64_t frames) {
        hdf5::Handle file = hdf5::create_file(path_);
        const hdf5::Handle group = hdf5::create_group(file.get(), {path_, "/layer0000"});
        for (const char* name : {"/layer0000/frame", "/layer0000/scan_line_index"})
            (void)hdf5::create_dataset(file.get(), {path_, name}, H5T_STD_U8LE, {frames, 64, 64},
                                       {{frames, 64, 64}, 4});
        hdf5::close_written(file, path_);
    };
    with_chunk(16384);
    expect_refused(path_, "/layer0000/frame", "are stored");
    with_chunk(16385);
    expect_refused(path_, "/layer0000/frame", "its chunks (16385, 64, 64) have more than 64 MiB");
}

TEST_F(ExternalData, MuchThatIsMadeOfLittleIsRefused) {
    const auto frames = [&](std::uint64_t count, int filters, bool write) {
        hdf5::Handle file = hdf5::create_file(path_);
        const hdf5::Handle group = hdf5::create_group(file.get(), {path_, "/layer0000"});
        const std::vector<std::int64_t> index(count, 0);
        hdf5::write_dataset(file.get(), {path_, "/layer0000/scan_line_index"}, H5T_STD_U8LE,
                            H5T_NATIVE_INT64, {count}, index.data());
        {
            const hsize_t shape[] = {count, 64, 64}, chunk[] = {128, 64, 64};
            const hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
            H5Pset_chunk(list.get(), 3, chunk);
            for (int i = 0; i < filters; ++i) H5Pset_deflate(list.get(), 9);
            const hdf5::Handle space(H5Screate_simple(3, shape, nullptr), H5Sclose);
            const hdf5::Handle dataset(
                H5Dcreate2(file.get(), "/layer0000/frame", H5T_STD_U8LE, space.get(), H5P_DEFAULT,
                           list.get(), H5P_DEFAULT),
                H5Dclose);
            const std::vector<std::uint8_t> black(write ? count * 64 * 64 : 0);
            if (write)
                H5Dwrite(dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                         black.data());
        }
        hdf5::close_written(file, path_);
    };
    frames(2048, 1, true);
    EXPECT_NO_THROW((void)open_recording(path_)->layers()) << "black frames, compressed";
    frames(2048, 2, true);
    expect_refused(path_, "/layer0000/frame", "its 8388608 bytes of data would be made of");
    frames(1U << 15, 1, false);
    expect_refused(path_, "/layer0000/frame", "bytes of data would be made of");
}

TEST_F(ExternalData, ManyFramesOfNextToNothingAreRefused) {
    constexpr std::uint64_t many = std::uint64_t(1) << 22;
    hdf5::Handle file = hdf5::create_file(path_);
    {
        const hdf5::Handle group = hdf5::create_group(file.get(), {path_, "/layer0000"});
        const hdf5::Dataset frames = hdf5::create_dataset(
            file.get(), {path_, "/layer0000/frame"}, H5T_STD_U8LE, {many, 1, 1}, {{many, 1, 1}, 9});
        const hdf5::Dataset index = hdf5::create_dataset(
            file.get(), {path_, "/layer0000/scan_line_index"}, H5T_STD_U8LE, {many}, {{many}, 9});
        const std::vector<std::uint8_t> zeros(many);
        hdf5::write_rows(frames, 0, many, H5T_NATIVE_UINT8, zeros.data());
        hdf5::write_rows(index, 0, many, H5T_NATIVE_UINT8, zeros.data());
    }
    hdf5::close_written(file, path_);
    expect_refused(path_, "/layer0000/frame", "4194304 frames would be made of");
}

TEST_F(ExternalData, MoreChunksThanBytesAreNotCounted) {
    hdf5::Handle file = hdf5::create_file(path_);
    {
        const hdf5::Handle group = hdf5::create_group(file.get(), {path_, "/layer0000"});
        for (const char* name : {"/layer0000/frame", "/layer0000/scan_line_index"})
            (void)hdf5::create_dataset(file.get(), {path_, name}, H5T_STD_U8LE, {1U << 20, 1, 1},
                                       {{1, 1, 1}, 0});
    }
    hdf5::close_written(file, path_);
    expect_refused(path_, "/layer0000/frame", "its 1048576 chunks cannot all be in a file of");
}

TEST_F(ExternalData, AVirtualDatasetInTooManyPiecesIsRefused) {
    // Every second element of as many as the source has: a few bytes in the file.
    constexpr hsize_t many = hsize_t(1) << 22;
    const hsize_t source_shape[] = {many}, shape[] = {2 * many}, endless[] = {H5S_UNLIMITED};
    const hsize_t start[] = {0}, one[] = {1}, two[] = {2}, chunk[] = {many / 4};
    hdf5::Handle file = hdf5::create_file(path_);
    {
        const hdf5::Handle group = hdf5::create_group(file.get(), {path_, "/layer0000"});
        const std::vector<std::uint8_t> values(many, 1);
        hdf5::write_dataset(file.get(), {path_, "/layer0000/scan_line_index"}, H5T_STD_U8LE,
                            H5T_NATIVE_UINT8, {many}, values.data());
        const hdf5::Handle chunked(H5Pcreate(H5P_DATASET_CREATE), H5Pclose),
            in_pieces(H5Pcreate(H5P_DATASET_CREATE), H5Pclose),
            taken(H5Screate_simple(1, source_shape, endless), H5Sclose),
            target(H5Screate_simple(1, shape, endless), H5Sclose);
        H5Pset_chunk(chunked.get(), 1, chunk);
        const hdf5::Handle source(H5Dcreate2(file.get(), "/values", H5T_STD_U8LE, taken.get(),
                                             H5P_DEFAULT, chunked.get(), H5P_DEFAULT),
                                  H5Dclose);
        ASSERT_GE(
            H5Dwrite(source.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
            0);
        const hdf5::Handle space(H5Scopy(target.get()), H5Sclose);
        H5Sselect_hyperslab(taken.get(), H5S_SELECT_SET, start, one, endless, one);
        H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, start, two, endless, one);
        ASSERT_GE(H5Pset_virtual(in_pieces.get(), target.get(), ".", "/values", taken.get()), 0);
        const hdf5::Handle dataset(
            H5Dcreate2(file.get(), "/layer0000/frame", H5T_STD_U8LE, space.get(), H5P_DEFAULT,
                       in_pieces.get(), H5P_DEFAULT),
            H5Dclose);
        ASSERT_TRUE(dataset.valid());
    }
    hdf5::close_written(file, path_);
    expect_refused(path_, "/layer0000/frame", "a source gives it 4194304 pieces");
}

TEST_F(ExternalData, NorDoTensorsOfAModelComeFromElsewhere) {
    const std::string path = own("reference.h5");
    const std::vector<float> values(4, 1);
    const auto write = [&](const std::string& file_path) {
        hdf5::Handle file = hdf5::create_file(file_path);
        const hdf5::Handle group = hdf5::create_group(file.get(), {file_path, "/parameters"});
        hdf5::write_dataset(file.get(), {file_path, "/parameters/a"}, H5T_IEEE_F32LE,
                            H5T_NATIVE_FLOAT, {4}, values.data());
        return file;
    };
    { const hdf5::Handle other = write(elsewhere("other.h5")); }
    {
        const hdf5::Handle file = write(path);
        H5Lcreate_soft("a", file.get(), "/parameters/b", H5P_DEFAULT, H5P_DEFAULT);
    }
    EXPECT_EQ(TensorFile(path).read_group("/parameters").size(), 2U) << "a link inside is fine";
    {
        const hdf5::Handle file = write(path);
        H5Lcreate_external("../elsewhere/other.h5", "/parameters/a", file.get(), "/parameters/b",
                           H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_external(pipe(own("pipe")).c_str(), "/x", file.get(), "/piped", H5P_DEFAULT,
                           H5P_DEFAULT);
    }
    const TensorFile tensors(path);
    EXPECT_THROW((void)tensors.read_group("/parameters"), ConfigError);
    EXPECT_THROW((void)tensors.read("/parameters/b"), ConfigError);
    EXPECT_THROW((void)tensors.read("/piped"), ConfigError);
    EXPECT_THROW((void)tensors.read_group("/piped"), ConfigError);
    EXPECT_TRUE(tensors.read("/parameters/a").has_value());
}

}  // namespace
}  // namespace edgeloop::external_data_test
