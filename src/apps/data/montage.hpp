#pragma once

#include "edgeloop/data/raise_file.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace edgeloop {

/// Chooses example lines at low, middle and high speed and power and draws them in a 3 x 3 picture:
/// speed grows to the right, power downwards.
class MontageSelection {
  public:
    /// Makes the lines of a layer known. Unlabelled layers and unusable labels are passed over.
    void offer(const std::string& path, const LayerInfo& layer, const LineIndex& index,
               const std::vector<LaserParameters>& labels);

    /// Reads the chosen lines and writes the PNG.
    /// @throws ConfigError  no line was offered, or a chosen one is unreadable; IoError.
    void write(const std::string& png_path) const;

  private:
    struct Candidate {
        std::size_t layer = 0;  ///< position in layers_
        std::size_t line = 0;   ///< position in its LineIndex
        std::size_t frames = 0;
        LaserParameters laser;
    };
    struct Layer {
        std::string path;
        LayerInfo info;
    };

    [[nodiscard]] const Candidate& nearest(const LaserParameters& wanted) const;
    [[nodiscard]] CroppedLine read(const Candidate& candidate) const;

    std::vector<Layer> layers_;
    std::vector<Candidate> candidates_;
};

}  // namespace edgeloop
