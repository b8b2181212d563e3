#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace edgeloop {

/// What becomes of scan lines without room for a window.
enum class ShortLines {
    skip,    ///< they are left out, and counted
    repeat,  ///< their frames are repeated
    pad,     ///< black frames follow them; as published, and a network sees how long the line was
};
[[nodiscard]] const char* name_of(ShortLines policy);
/// @throws ConfigError  unknown name.
[[nodiscard]] ShortLines short_lines_from(const std::string& name);

/// Which frames of a scan line form a window: `frames` of them, each `stride` after the one before.
/// The ends of a line tell how long it was, so windows keep away from them.
struct WindowRule {
    /// Largest length, stride and margin: more is a mistake.
    static constexpr int max_frames = 4096;

    int frames = 16, stride = 1;
    int margin = 6;  ///< frames at each end of a line that are in no window
    ShortLines short_lines = ShortLines::skip;
    /// skip: lines of fewer frames are left out, whatever the window needs; so different windows
    /// are judged by the same lines.
    int shortest_line = 0;

    /// As published: no margin, and black frames after short lines.
    [[nodiscard]] static WindowRule published(int frames, int stride) {
        return {frames, stride, 0, ShortLines::pad, 0};
    }

    /// Frames from the first to the last of a window.
    [[nodiscard]] std::size_t span() const {
        return static_cast<std::size_t>(frames - 1) * static_cast<std::size_t>(stride) + 1;
    }
    /// Frames of the shortest line with room for a window.
    [[nodiscard]] std::size_t needed() const {
        return span() + 2 * static_cast<std::size_t>(margin);
    }
    /// Whether a line of so many frames is used.
    [[nodiscard]] bool uses(std::size_t available) const;
    /// Number of different windows in a line that is used.
    [[nodiscard]] std::size_t places(std::size_t available) const;
    /// First frame of the window at a place, counted from 0.
    [[nodiscard]] std::size_t start(std::size_t available, std::size_t place) const;
    /// The window of validation and test: that in the middle, rounded down.
    [[nodiscard]] std::size_t middle_place(std::size_t available) const {
        return (places(available) - 1) / 2;
    }
    /// Black frames of a window.
    [[nodiscard]] std::size_t padded(std::size_t available) const;
};

/// Copies a window out of a cropped line that is used.
///
/// @param line    shape (available, crop_side, crop_side).
/// @param place   of the window, see WindowRule::places().
/// @param window  shape (frames, crop_side, crop_side); overwritten.
void copy_window(const std::uint8_t* line, std::size_t available, std::size_t place,
                 const WindowRule& rule, std::uint8_t* window);

}  // namespace edgeloop
