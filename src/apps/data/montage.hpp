#pragma once

#include "edgeloop/data/recording.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// A grey picture to draw on.
class GreyPicture {
  public:
    GreyPicture(int height, int width, std::uint8_t background);

    [[nodiscard]] const std::vector<std::uint8_t>& pixels() const { return pixels_; }

    /// Sets a pixel; outside the picture nothing happens.
    void set(int row, int column, std::uint8_t grey);
    /// Copies an image of (height, width) with every pixel `scale` times as large.
    void paste(const std::uint8_t* image, int height, int width, int row, int column, int scale);
    /// Writes capital letters, digits and some signs, 8 pixels a character, 10 high; lower case is
    /// shown as capitals, other characters as blanks.
    void write(const std::string& text, int row, int column, std::uint8_t grey);

    /// As a PNG file's bytes: 8-bit grey. @throws IoError  libpng fails.
    [[nodiscard]] std::string png() const;

  private:
    int height_, width_;
    std::vector<std::uint8_t> pixels_;
};

/// Chooses example lines at low, middle and high values of the first two targets and draws them in
/// a 3 x 3 picture: for RAISE-LPBF speed grows to the right, power downwards.
class MontageSelection {
  public:
    /// Makes the lines of a layer known. Unlabelled layers and unusable labels are passed over.
    void offer(const Recording& file, const LayerInfo& layer, const LineIndex& index,
               const std::vector<double>& labels);

    /// Reads the chosen lines and writes the PNG.
    /// @throws ConfigError  no line was offered, or a chosen one is unreadable; IoError.
    void write(const std::string& png_path) const;

  private:
    struct Candidate {
        std::size_t layer = 0;  ///< position in layers_
        std::size_t line = 0;   ///< position in its LineIndex
        std::size_t frames = 0;
        std::vector<double> labels;
    };
    struct Layer {
        std::string path;
        External external;
        LayerInfo info;
    };

    /// Low, middle and high of a target; with fewer targets 0.
    [[nodiscard]] std::array<double, 3> marks(std::size_t target) const;
    /// The line whose first two targets are nearest to these.
    [[nodiscard]] const Candidate& nearest(const std::array<double, 2>& wanted) const;
    [[nodiscard]] CroppedLine read(const Candidate& candidate) const;

    std::vector<Target> targets_;
    std::vector<Layer> layers_;
    std::vector<Candidate> candidates_;
};

}  // namespace edgeloop
