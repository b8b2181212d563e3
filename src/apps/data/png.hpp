#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// A grey picture to draw on.
class GreyPicture {
  public:
    GreyPicture(int height, int width, std::uint8_t background);

    [[nodiscard]] int height() const { return height_; }
    [[nodiscard]] int width() const { return width_; }
    [[nodiscard]] const std::vector<std::uint8_t>& pixels() const { return pixels_; }

    /// Sets a pixel; outside the picture nothing happens.
    void set(int row, int column, std::uint8_t grey);
    /// Copies an image of (height, width) with every pixel `scale` times as large.
    void paste(const std::uint8_t* image, int height, int width, int row, int column, int scale);
    /// Writes capital letters, digits and some signs, 8 pixels a character, 10 high; lower case is
    /// shown as capitals, other characters as blanks.
    void write(const std::string& text, int row, int column, std::uint8_t grey);

  private:
    int height_, width_;
    std::vector<std::uint8_t> pixels_;
};

/// The picture as a PNG file's bytes: 8-bit grey. @throws IoError  libpng fails.
[[nodiscard]] std::string to_png(const GreyPicture& picture);

}  // namespace edgeloop
