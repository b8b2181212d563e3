// Which groups of a file are its layers, whatever else is in it; and files left open by their
// writer.
#include "unit/data/raise_writer.hpp"
#include "unit/data/refusal.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/data/recording.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edgeloop::layout_test {
namespace {

using test::expect_refused;
using test::plain_layer;
using testing::ElementsAre;

class Layout : public testing::Test {
  protected:
    std::string write(const std::vector<std::string>& layers,
                      const std::vector<std::string>& groups) const {
        std::vector<test::RawLayer> raw;
        for (const std::string& layer : layers) raw.push_back(plain_layer({0, 1}, 2, layer));
        return test::write_file(folder_.path("C001.hdf5"), raw, groups);
    }
    static std::vector<std::string> paths(const std::string& path) {
        const auto file = open_recording(path);
        std::vector<std::string> result;
        for (const LayerInfo& layer : file->layers()) result.push_back(layer.group.path);
        return result;
    }
    static std::string layout_of(const std::string& path) { return open_recording(path)->layout(); }
    static void add_number(const std::string& path, const std::string& object) {
        const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        const double value[] = {20000};
        hdf5::write_dataset(file, {path, object}, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {1}, value);
        H5Fclose(file);
    }

    test::TemporaryFolder folder_;
};

TEST_F(Layout, OtherGroupsInV10AreIgnored) {
    const std::string path =
        write({"/C030/layer0001", "/C030/layer0002", "/C031/layer0001"},
              {"C030", "C031", "metadata", "metadata/camera", "metadata/camera/lens",
               "C030/calibration", "process", "process/layer0001"});
    add_number(path, "/metadata/camera/frame");
    EXPECT_THAT(paths(path), ElementsAre("/C030/layer0001", "/C030/layer0002", "/C031/layer0001"));
    EXPECT_EQ(layout_of(path), "v1.0");
}

TEST_F(Layout, OtherGroupsInV11AreIgnored) {
    const std::string path =
        write({"/layer0003", "/layer0001"},
              {"entry", "entry/instrument", "entry/data", "metadata", "aux", "aux/layer0001"});
    add_number(path, "/metadata/laser_params");
    add_number(path, "/aux/layer0001/oxygen");
    EXPECT_THAT(paths(path), ElementsAre("/layer0001", "/layer0003"));
    EXPECT_EQ(layout_of(path), "v1.1");
}

TEST_F(Layout, LayersOfAnyNameAreFoundByTheirDatasets) {
    EXPECT_THAT(paths(write({"/C030/first", "/C030/second"}, {"C030", "metadata"})),
                ElementsAre("/C030/first", "/C030/second"));
    EXPECT_THAT(paths(write({"/first"}, {"metadata", "metadata/x"})), ElementsAre("/first"));
}

TEST_F(Layout, ALayerThatLacksWhatItNeedsIsRefusedNotIgnored) {
    expect_refused(write({"/layer0001"}, {"layer0002"}), "/layer0002/frame", "missing");
    expect_refused(write({"/C030/layer0001"}, {"C030", "C030/layer0002"}), "/C030/layer0002/frame",
                   "missing");
}

TEST_F(Layout, BothLayoutsInOneFileAreRefused) {
    expect_refused(write({"/layer0001", "/C030/layer0002"}, {"C030"}), "/C030/layer0002",
                   "has layers of both layouts");
}

TEST_F(Layout, AMissingFilterIsNamed) {
    const std::string path = write({"/layer0001"}, {"layer0002"});
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    {
        const hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
        const hsize_t shape[] = {2, 5, 6};
        H5Pset_chunk(list.get(), 3, shape);
        // Optional: the library creates the dataset although it does not know the filter.
        H5Pset_filter(list.get(), 32015, H5Z_FLAG_OPTIONAL, 0, nullptr);
        const hdf5::Handle space(H5Screate_simple(3, shape, nullptr), H5Sclose);
        const hdf5::Handle frames(H5Dcreate2(file, "/layer0002/frame", H5T_STD_U8LE, space.get(),
                                             H5P_DEFAULT, list.get(), H5P_DEFAULT),
                                  H5Dclose);
        ASSERT_TRUE(frames.valid());
    }
    H5Fclose(file);
    expect_refused(path, "/layer0002/frame", "HDF5's filter 32015 ('zstd'), which is missing here");
}

TEST_F(Layout, AFileThatItsWriterLeftOpenIsRefusedWithTheRepair) {
    const std::string path = folder_.path("C001.hdf5");
    const pid_t child = ::fork();
    if (child == 0) {
        const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
        const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
        test::add_layer(file, plain_layer({0, 1}, 2));
        H5Fflush(file, H5F_SCOPE_GLOBAL);
        ::_exit(H5Fstart_swmr_write(file) >= 0 ? 0 : 1);  // crashes
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    expect_refused(path, "", "did not close it, or still writes it");
    expect_refused(path, "", "h5clear -s " + path);
}

}  // namespace
}  // namespace edgeloop::layout_test
