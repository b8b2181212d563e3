#include "edgeloop/data/recording.hpp"

#include "data/hdf5.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/data/window.hpp"

#include <gtest/gtest.h>

namespace edgeloop::recording_test {
namespace {

constexpr int frames = 16;

std::vector<std::uint8_t> expected_crops(const std::string& layout) {
    const std::string path = test::reference_file("raise_expected_clips.h5");
    const hdf5::Handle file = hdf5::open_for_reading(path);
    const hdf5::Dataset crops = hdf5::open_dataset(file.get(), {path, layout + "/crop_u8"});
    std::vector<std::uint8_t> values(crops.shape[0] * frames * crop_pixels);
    hdf5::read_rows(crops, 0, crops.shape[0], H5T_NATIVE_UINT8, values.data());
    return values;
}

std::vector<std::uint8_t> crops_of(const std::string& name) {
    const auto file = open_recording(test::reference_file(name));
    std::vector<std::uint8_t> values;
    for (const LayerInfo& layer : file->layers()) {
        const LineIndex index = file->line_index(layer);
        file->for_each_line(
            layer, index, 0, index.lines(), Crop::published, [&](CroppedLine& line) {
                values.resize(values.size() + frames * crop_pixels);
                const WindowRule rule = WindowRule::published(frames, 1);
                copy_window(line.pixels.data(), line.frames, rule.middle_place(line.frames), rule,
                            values.data() + values.size() - frames * crop_pixels);
            });
    }
    return values;
}

TEST(Recording, CropsOfLayout10EqualTheReference) {
    EXPECT_EQ(crops_of("raise_v1.0_train.hdf5"), expected_crops("v1.0"));
}

TEST(Recording, CropsOfLayout11EqualTheReference) {
    EXPECT_EQ(crops_of("raise_v1.1_C099.hdf5"), expected_crops("v1.1"));
}

TEST(Recording, RecognisesTheLayoutByItself) {
    const auto old_file = open_recording(test::reference_file("raise_v1.0_train.hdf5"));
    ASSERT_EQ(old_file->groups().size(), 4U);
    EXPECT_EQ(old_file->layout(), "v1.0");
    EXPECT_EQ(old_file->groups()[2].path, "/C099/layer0005");
    EXPECT_EQ(old_file->groups()[2].object, "C099");
    const auto new_file = open_recording(test::reference_file("raise_v1.1_C099.hdf5"));
    ASSERT_EQ(new_file->groups().size(), 2U);
    EXPECT_EQ(new_file->layout(), "v1.1");
    EXPECT_EQ(new_file->groups()[1].path, "/layer0001");
}

}  // namespace
}  // namespace edgeloop::recording_test
