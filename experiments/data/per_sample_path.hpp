#pragma once

#include "edgeloop/data/recording.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// The way the published data set class works, step for step, as the yardstick: nothing is kept
/// between two samples. Written plainly, in C++, so that only the method differs.
class PerSamplePath {
  public:
    /// A scan line to load.
    struct Line {
        std::string path;
        std::string group;
        std::int64_t number = 0;
    };

    PerSamplePath(int frames, int side) : frames_(frames), side_(side) {}

    /// Opens the file, reads the layer's index, the line's frames and its label, crops around the
    /// brightest pixel of the mean frame, takes the central window, normalises and resizes.
    ///
    /// @param clip  shape (frames, side, side).
    /// @return its targets: speed and power.
    std::vector<double> load(const Line& line, float* clip) const;

  private:
    int frames_, side_;
};

/// Every line with frames of the files.
[[nodiscard]] std::vector<PerSamplePath::Line> all_lines(const std::vector<std::string>& paths);

}  // namespace edgeloop
