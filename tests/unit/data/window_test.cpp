#include "edgeloop/data/window.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::window_test {
namespace {

/// A line whose frames are numbered from 1.
std::vector<std::uint8_t> numbered_line(std::size_t frames) {
    std::vector<std::uint8_t> line;
    for (std::size_t i = 0; i < frames; ++i)
        line.insert(line.end(), crop_pixels, static_cast<std::uint8_t>(i + 1));
    return line;
}

/// The numbers of a window's frames; 0: black.
std::vector<int> window_of(std::size_t available, std::size_t place, const WindowRule& rule) {
    const std::vector<std::uint8_t> line = numbered_line(available);
    std::vector<std::uint8_t> window(static_cast<std::size_t>(rule.frames) * crop_pixels, 255);
    copy_window(line.data(), available, place, rule, window.data());
    std::vector<int> numbers;
    for (int i = 0; i < rule.frames; ++i) {
        numbers.push_back(window[static_cast<std::size_t>(i) * crop_pixels]);
        EXPECT_EQ(numbers.back(), window[static_cast<std::size_t>(i + 1) * crop_pixels - 1]);
    }
    return numbers;
}

TEST(Window, KeepsAwayFromTheEndsOfALine) {
    for (const int stride : {1, 2, 3})
        for (const int margin : {0, 2, 5}) {
            const WindowRule rule{4, stride, margin, ShortLines::skip};
            const std::size_t shortest = 3U * std::size_t(stride) + 1 + 2U * std::size_t(margin);
            EXPECT_EQ(rule.needed(), shortest);
            EXPECT_FALSE(rule.uses(shortest - 1));
            for (std::size_t available = shortest; available < shortest + 5; ++available) {
                ASSERT_TRUE(rule.uses(available));
                ASSERT_EQ(rule.places(available), available - shortest + 1);
                for (std::size_t place = 0; place < rule.places(available); ++place) {
                    const std::vector<int> frames = window_of(available, place, rule);
                    EXPECT_EQ(frames.front(), margin + int(place) + 1);
                    EXPECT_LE(frames.back(), int(available) - margin);
                    for (std::size_t i = 1; i < frames.size(); ++i)
                        EXPECT_EQ(frames[i] - frames[i - 1], stride);
                }
                EXPECT_EQ(window_of(available, rule.places(available) - 1, rule).back(),
                          int(available) - margin);
                EXPECT_EQ(rule.padded(available), 0U);
            }
        }
}

TEST(Window, ThePublishedOneIsCentredAndPadded) {
    const WindowRule rule = WindowRule::published(4, 2);
    EXPECT_EQ(window_of(11, rule.middle_place(11), rule), (std::vector{3, 5, 7, 9}));
    EXPECT_EQ(window_of(7, rule.middle_place(7), rule), (std::vector{1, 3, 5, 7}));
    EXPECT_EQ(window_of(6, rule.middle_place(6), rule), (std::vector{1, 3, 5, 0}));
    EXPECT_EQ(window_of(1, rule.middle_place(1), rule), (std::vector{1, 0, 0, 0}));
    EXPECT_EQ(rule.padded(1), 3U);
    EXPECT_FALSE(rule.uses(0));
}

TEST(Window, RepeatsWhatLiesBetweenTheMargins) {
    const WindowRule rule{5, 1, 2, ShortLines::repeat};
    EXPECT_FALSE(rule.uses(4));
    EXPECT_EQ(window_of(5, 0, rule), (std::vector{3, 3, 3, 3, 3}));
    EXPECT_EQ(window_of(7, 0, rule), (std::vector{3, 4, 5, 3, 4}));
    EXPECT_EQ(window_of(9, 0, rule), (std::vector{3, 4, 5, 6, 7}));
    EXPECT_EQ(window_of(11, rule.middle_place(11), rule), (std::vector{4, 5, 6, 7, 8}));
}

TEST(Window, WithAMarginAndPaddingShortLinesUseTheirEnds) {
    const WindowRule rule{4, 1, 3, ShortLines::pad};
    EXPECT_EQ(window_of(10, 0, rule), (std::vector{4, 5, 6, 7}));
    EXPECT_EQ(window_of(8, 0, rule), (std::vector{3, 4, 5, 6}));
    EXPECT_EQ(window_of(2, 0, rule), (std::vector{1, 2, 0, 0}));
}

TEST(Window, LinesShorterThanTheShortestAreLeftOutWhateverTheWindow) {
    const WindowRule rule{4, 1, 2, ShortLines::skip, 12};
    EXPECT_FALSE(rule.uses(11));
    EXPECT_TRUE(rule.uses(12));
    EXPECT_EQ(rule.places(12), 5U);
}

TEST(Window, PoliciesHaveNames) {
    for (const ShortLines policy : {ShortLines::skip, ShortLines::repeat, ShortLines::pad})
        EXPECT_EQ(short_lines_from(name_of(policy)), policy);
    EXPECT_THROW((void)short_lines_from("drop"), ConfigError);
}

}  // namespace
}  // namespace edgeloop::window_test
