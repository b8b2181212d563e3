#include "edgeloop/preprocessing/clip_maker.hpp"

#include "edgeloop/preprocessing/frames.hpp"

#include <gtest/gtest.h>

namespace edgeloop::clip_maker_test {
namespace {

constexpr int height = 60, width = 80, frames = 10;

/// A dark picture with a bright spot, which jumps to the corner after the first frames, and noise.
std::vector<std::uint8_t> camera_frames(PixelPosition spot) {
    std::vector<std::uint8_t> camera(std::size_t(frames) * height * width);
    for (std::size_t i = 0; i < camera.size(); ++i)
        camera[i] = static_cast<std::uint8_t>((i * 37 + i / 11 * 101) % 50);
    for (int i = 0; i < frames; ++i)
        camera[i < int(causal_frames) ? std::size_t((i * height + spot.row) * width + spot.column)
                                      : std::size_t(i) * height * width] = 250;
    return camera;
}

constexpr Normalisation grey{0.05, 0.12};
float seen(std::uint8_t pixel) { return float((pixel / 255.0 - grey.mean) / grey.deviation); }

TEST(ClipMaker, CutsAroundTheBrightestPixelAndNormalises) {
    const PixelPosition spot{30, 50};
    const std::vector<std::uint8_t> camera = camera_frames(spot);
    std::vector<float> clip(frames * crop_pixels);
    ClipMaker(height, width, frames, crop_side, grey).make(camera.data(), clip.data());
    std::size_t at = 0;
    for (int frame = 0; frame < frames; ++frame)
        for (int row = 0; row < crop_side; ++row)
            for (int column = 0; column < crop_side; ++column, ++at) {
                const int y = spot.row + row - crop_side / 2;
                const int x = spot.column + column - crop_side / 2;
                const std::uint8_t pixel =
                    y < 0 || y >= height || x < 0 || x >= width
                        ? std::uint8_t(0)
                        : camera[std::size_t((frame * height + y) * width + x)];
                ASSERT_NEAR(clip[at], seen(pixel), 1e-4) << frame << ", " << row << ", " << column;
            }
}

TEST(ClipMaker, EachFrameIsResizedAsTheLoaderDoesIt) {
    const std::vector<std::uint8_t> camera = camera_frames({5, 70});  // near a corner
    constexpr int side = 24;
    std::vector<float> clip(std::size_t(frames) * side * side), expected(side * side);
    ClipMaker maker(height, width, frames, side);
    maker.make(camera.data(), clip.data());
    Resizer resizer(crop_side, crop_side, side);
    std::vector<std::uint8_t> crop(crop_pixels);
    for (int frame = 0; frame < frames; ++frame) {
        crop_frame(camera.data() + std::ptrdiff_t(frame) * height * width, height, width, {5, 70},
                   crop.data());
        resizer.run(crop.data(), expected.data());
        for (std::size_t i = 0; i < expected.size(); ++i)
            ASSERT_EQ(clip[std::size_t(frame) * expected.size() + i], expected[i]);
    }
    std::vector<float> again(clip.size());
    maker.make(camera.data(), again.data());
    EXPECT_EQ(again, clip) << "nothing is left of the clip before";
}

}  // namespace
}  // namespace edgeloop::clip_maker_test
