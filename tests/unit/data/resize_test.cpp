#include "data/hdf5.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/data/loader.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

namespace edgeloop::resize_test {
namespace {

Batch batch_of(int height, int width) {
    Batch batch;
    batch.samples = 2;
    batch.frames = 3;
    batch.height = height;
    batch.width = width;
    batch.pixels.resize(std::size_t(6) * std::size_t(height) * std::size_t(width));
    for (std::size_t i = 0; i < batch.pixels.size(); ++i)
        batch.pixels[i] = static_cast<std::uint8_t>((i * 37 + i / 11 * 101) % 256);
    return batch;
}

/// One output pixel by the definition: half-pixel centres, clamped edges, no antialiasing.
double by_definition(const std::uint8_t* image, int height, int width, int side, int row,
                     int column, double mean = 0.45, double deviation = 0.225) {
    const auto value = [&](int y, int x) {
        return (double(image[std::min(y, height - 1) * width + std::min(x, width - 1)]) / 255 -
                mean) /
               deviation;
    };
    const double y = std::max((row + 0.5) * height / side - 0.5, 0.0);
    const double x = std::max((column + 0.5) * width / side - 0.5, 0.0);
    const int top = int(y), left = int(x);
    const double down = y - top, right = x - left;
    return (1 - down) * ((1 - right) * value(top, left) + right * value(top, left + 1)) +
           down * ((1 - right) * value(top + 1, left) + right * value(top + 1, left + 1));
}

class ResizeTest : public testing::TestWithParam<int> {};

TEST_P(ResizeTest, EqualsTheDefinition) {
    const int side = GetParam();
    for (const auto& [height, width] : {std::pair{41, 41}, {7, 30}, {1, 1}}) {
        const Batch batch = batch_of(height, width);
        std::vector<float> clips(std::size_t(6) * std::size_t(side) * std::size_t(side));
        normalise_and_resize(batch, side, clips.data());
        std::size_t i = 0;
        for (int image = 0; image < 6; ++image)
            for (int row = 0; row < side; ++row)
                for (int column = 0; column < side; ++column, ++i)
                    ASSERT_NEAR(clips[i],
                                by_definition(batch.pixels.data() + image * height * width, height,
                                              width, side, row, column),
                                1e-5)
                        << height << "x" << width << " to " << side << " at " << row << ","
                        << column;
    }
}

TEST_P(ResizeTest, NormalisesByTheGivenConstants) {
    const int side = GetParam();
    const Batch batch = batch_of(41, 41);
    std::vector<float> clips(std::size_t(6) * std::size_t(side) * std::size_t(side));
    normalise_and_resize(batch, side, clips.data(), {0.05, 0.12});
    for (int row = 0, i = 0; row < side; ++row)
        for (int column = 0; column < side; ++column, ++i)
            ASSERT_NEAR(clips[std::size_t(i)],
                        by_definition(batch.pixels.data(), 41, 41, side, row, column, 0.05, 0.12),
                        1e-5);
}

// Below, at and above the input; sides that are and are not multiples of eight.
INSTANTIATE_TEST_SUITE_P(Sides, ResizeTest, testing::Values(1, 8, 17, 40, 41, 64, 97, 224));

TEST(Resize, EqualsTheReferenceClips) {
    const std::string path = test::reference_file("raise_expected_clips.h5");
    const hdf5::Handle file = hdf5::open_for_reading(path);
    const hdf5::Dataset crops = hdf5::open_dataset(file.get(), {path, "v1.1/crop_u8"});
    const hdf5::Dataset expected = hdf5::open_dataset(file.get(), {path, "v1.1/clip_64"});
    Batch batch;
    batch.samples = crops.shape[0];
    batch.frames = 16;
    batch.height = batch.width = crop_side;
    batch.pixels.resize(batch.samples * 16 * crop_pixels);
    hdf5::read_rows(crops, 0, batch.samples, H5T_NATIVE_UINT8, batch.pixels.data());
    std::vector<float> wanted(batch.samples * 16 * 64 * 64), clips(wanted.size());
    hdf5::read_rows(expected, 0, batch.samples, H5T_NATIVE_FLOAT, wanted.data());
    normalise_and_resize(batch, 64, clips.data());
    float largest = 0;
    for (std::size_t i = 0; i < clips.size(); ++i)
        largest = std::max(largest, std::abs(clips[i] - wanted[i]));
    EXPECT_LT(largest, 1e-5F);
}

}  // namespace
}  // namespace edgeloop::resize_test
