#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::adaptation {

/// Clips of a camera with what was measured of them: a safetensors file with `input` (clips,
/// frames, crop_side, crop_side) u8, `expected` (clips, targets) f32 in the targets' units, and
/// `line` (clips) i64: the scan line, several clips of which belong together. Clips are read one by
/// one, and none is kept.
class LabelledClips {
  public:
    /// @throws ConfigError  no such file, or no file of this kind; a label is no number; IoError.
    explicit LabelledClips(const std::string& path);

    [[nodiscard]] std::size_t count() const { return lines_.size(); }
    [[nodiscard]] std::size_t frames() const { return frames_; }
    [[nodiscard]] std::size_t targets() const { return targets_; }
    [[nodiscard]] std::int64_t line(std::size_t clip) const { return lines_[clip]; }
    /// @return (targets).
    [[nodiscard]] const float* expected(std::size_t clip) const {
        return expected_.data() + clip * targets_;
    }
    /// @param crops  (frames, crop_side, crop_side).
    /// @throws IoError  it cannot be read, or has become shorter.
    void read(std::size_t clip, std::uint8_t* crops) const;

  private:
    std::string path_;
    Descriptor file_;
    std::uint64_t first_byte_ = 0;  ///< of the clips
    std::size_t frames_ = 0, targets_ = 0;
    std::vector<std::int64_t> lines_;
    std::vector<float> expected_;
};

}  // namespace edgeloop::adaptation
