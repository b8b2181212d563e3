#include "edgeloop/data/clips.hpp"

#include "data/hdf5.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::clips_test {
namespace {

template <class T>
std::vector<T> read_all(const std::string& path, const std::string& name, hid_t type) {
    const hdf5::Handle file = hdf5::open_for_reading(path);
    const hdf5::Dataset dataset = hdf5::open_dataset(file.get(), {path, name});
    std::uint64_t count = 1;
    for (const std::uint64_t extent : dataset.shape) count *= extent;
    std::vector<T> values(count);
    hdf5::read_rows(dataset, 0, dataset.shape[0], type, values.data());
    return values;
}

std::vector<float> floats(const std::string& path, const std::string& name) {
    return read_all<float>(path, name, H5T_NATIVE_FLOAT);
}
std::vector<std::uint8_t> bytes(const std::string& path, const std::string& name) {
    return read_all<std::uint8_t>(path, name, H5T_NATIVE_UINT8);
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    float largest = 0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

class Clips : public testing::Test {
  protected:
    std::string clips_of(const std::string& name, int side, bool center = true) {
        ClipsOptions options;
        options.input = {test::reference_file(name)};
        options.output = folder_.path("clips.h5");
        options.side = side;
        options.center = center;
        EXPECT_GT(write_clips(options), 0U);
        return options.output;
    }

    const std::string expected_ = test::reference_file("raise_expected_clips.h5");
    test::TemporaryFolder folder_;
};

TEST_F(Clips, OfLayout11EqualTheReference) {
    const std::string path = clips_of("raise_v1.1_C099.hdf5", 64);
    EXPECT_EQ(bytes(path, "crop_u8"), bytes(expected_, "v1.1/crop_u8"));
    EXPECT_LT(largest_difference(floats(path, "clip"), floats(expected_, "v1.1/clip_64")), 1e-5F);
    EXPECT_LT(largest_difference(floats(path, "target"), floats(expected_, "v1.1/target")), 1e-5F);
}

TEST_F(Clips, OfLayout10EqualTheReference) {
    const std::string path = clips_of("raise_v1.0_train.hdf5", crop_side);
    EXPECT_EQ(bytes(path, "crop_u8"), bytes(expected_, "v1.0/crop_u8"));
    EXPECT_LT(largest_difference(floats(path, "target"), floats(expected_, "v1.0/target")), 1e-5F);
    const std::vector<std::uint8_t> crops = bytes(path, "crop_u8");
    std::vector<float> normalised;
    for (const std::uint8_t pixel : crops)
        normalised.push_back((float(pixel) / 255 - 0.45F) / 0.225F);
    EXPECT_LT(largest_difference(floats(path, "clip"), normalised), 1e-5F);
}

TEST_F(Clips, NamesWhereEachClipComesFrom) {
    const std::string path = clips_of("raise_v1.1_C099.hdf5", 8);
    const hdf5::Handle file = hdf5::open_for_reading(path);
    const hdf5::Dataset dataset = hdf5::open_dataset(file.get(), {path, "where"});
    ASSERT_EQ(dataset.shape, std::vector<std::uint64_t>{8});
    const hdf5::Handle type(H5Dget_type(dataset.id.get()), H5Tclose);
    std::vector<char*> where(8, nullptr);
    hdf5::read_rows(dataset, 0, 8, type.get(), where.data());
    EXPECT_STREQ(where[3], "raise_v1.1_C099.hdf5:/layer0000/3 crop_center=(6, 84)");
    for (char* text : where) H5free_memory(text);
}

TEST_F(Clips, RandomWindowsDifferFromTheCentredOnes) {
    const std::vector<std::uint8_t> centred = bytes(clips_of("raise_v1.1_C099.hdf5", 8), "crop_u8");
    const std::vector<std::uint8_t> random =
        bytes(clips_of("raise_v1.1_C099.hdf5", 8, false), "crop_u8");
    EXPECT_NE(centred, random);
    EXPECT_EQ(random, bytes(clips_of("raise_v1.1_C099.hdf5", 8, false), "crop_u8"));
}

TEST_F(Clips, NeverReplaceTheirInput) {
    const std::string recording = folder_.path("C099.hdf5");
    std::filesystem::copy_file(test::reference_file("raise_v1.1_C099.hdf5"), recording);
    ClipsOptions options;
    options.input = {recording};
    options.output = folder_.root() + "/./C099.hdf5";
    options.side = 8;
    EXPECT_THROW((void)write_clips(options), ConfigError);
    EXPECT_EQ(read_file(recording), read_file(test::reference_file("raise_v1.1_C099.hdf5")));
}

TEST_F(Clips, LeaveNothingBehindWhenTheyFail) {
    ClipsOptions options;
    options.input = {test::reference_file("raise_v1.1_C099.hdf5"), folder_.path("missing.hdf5")};
    options.output = folder_.path("clips.h5");
    EXPECT_THROW((void)write_clips(options), ConfigError);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.root()));
    options.input.pop_back();
    options.frames = 0;
    EXPECT_THROW((void)write_clips(options), ConfigError);
}

}  // namespace
}  // namespace edgeloop::clips_test
