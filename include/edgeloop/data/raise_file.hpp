#pragma once

#include "edgeloop/data/preprocessing.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace edgeloop {

enum class RaiseLayout {
    v1_0,  ///< groups /<object>/<layer>
    v1_1,  ///< one object per file, named like the file; groups /<layer>
};

[[nodiscard]] const char* name_of(RaiseLayout layout);

/// A group that looks like a layer, or a link that leads nowhere where layers are; nothing in it
/// has been checked.
struct LayerGroup {
    RaiseLayout layout = RaiseLayout::v1_1;
    std::string object;  ///< e.g. "C027"
    std::string layer;   ///< e.g. "layer0003"
    std::string path;    ///< inside the file, e.g. "/layer0003"
};

/// A layer whose datasets have the right types and shapes.
struct LayerInfo {
    LayerGroup group;
    std::uint64_t frames = 0;
    int height = 0, width = 0;
    bool labelled = true;                    ///< has laser_params
    std::uint64_t labelled_lines = 0;        ///< rows of laser_params
    std::string index_type;                  ///< e.g. "int64", "uint16"
    std::vector<std::uint64_t> frame_chunk;  ///< empty when contiguous
    std::set<std::string> files;  ///< that hold its data: the recording, and those it refers to
};

/// Speed and power of one scan line.
struct LaserParameters {
    double speed_mm_s = 0;
    double power_w = 0;
};

/// Positive numbers of at most 1e9; false for NaN.
[[nodiscard]] bool is_usable(const LaserParameters& laser);

/// Which frames belong to which line of a layer, whatever their order in the file.
struct LineIndex {
    std::vector<std::int64_t> numbers;   ///< scan_line_index of each line, ascending
    std::vector<std::uint64_t> offsets;  ///< line i owns frames[offsets[i] .. offsets[i+1])
    std::vector<std::uint32_t> frames;   ///< positions in the layer, ascending within a line
    std::uint64_t without_line = 0;      ///< frames with a negative index: they belong to no line

    [[nodiscard]] std::size_t lines() const { return numbers.size(); }
    [[nodiscard]] std::size_t frames_of(std::size_t line) const {
        return static_cast<std::size_t>(offsets[line + 1] - offsets[line]);
    }
};

/// One scan line, cut around its melt pool.
struct CroppedLine {
    std::size_t line = 0;  ///< position in the LineIndex
    PixelPosition centre;
    std::size_t frames = 0;
    std::vector<std::uint8_t> pixels;  ///< (frames, crop_side, crop_side)
};

/// A RAISE-LPBF file of either layout, read in pieces: memory does not grow with the file.
///
/// All errors are ConfigErrors that name file, group and dataset. Not for use from several threads
/// at once, not even on different files: the HDF5 library is commonly built without thread safety.
class RaiseFile {
  public:
    /// @throws ConfigError  no such file, not HDF5, truncated, no layer in it; IoError  no
    /// permission.
    explicit RaiseFile(const std::string& path);
    ~RaiseFile();
    RaiseFile(RaiseFile&&) noexcept;
    RaiseFile& operator=(RaiseFile&&) noexcept;

    [[nodiscard]] const std::string& path() const;
    /// Everything that looks like a layer, by ascending name.
    [[nodiscard]] const std::vector<LayerGroup>& groups() const&;
    const std::vector<LayerGroup>& groups() && = delete;  // would dangle

    /// Opens and checks one layer. @throws ConfigError  missing datasets, wrong rank, type or size,
    /// a link that leads nowhere, data that were never written or whose file is missing.
    [[nodiscard]] LayerInfo layer(const LayerGroup& group) const;
    /// All layers. @throws ConfigError  as layer().
    [[nodiscard]] std::vector<LayerInfo> layers() const;

    /// Labelled layers: one line per row of laser_params, also without frames. Others: one line per
    /// value found. @throws ConfigError  an index pointing past laser_params.
    [[nodiscard]] LineIndex line_index(const LayerInfo& layer) const;
    /// As stored, also when not finite; empty when unlabelled. @throws ConfigError  unreadable.
    [[nodiscard]] std::vector<LaserParameters> raw_laser_parameters(const LayerInfo& layer) const;
    /// @throws ConfigError  also when a line is not is_usable().
    [[nodiscard]] std::vector<LaserParameters> laser_parameters(const LayerInfo& layer) const;

    /// Frames [first, first + count) of the layer, (count, height, width) bytes.
    void read_frames(const LayerInfo& layer, std::uint64_t first, std::uint64_t count,
                     std::uint8_t* out) const;

    /// Calls `use` for the lines [first, last) that have frames, in ascending order, each cropped
    /// as in the reference preprocessing. Reads each frame once as long as the frames of a line are
    /// roughly together; memory is bounded by some 100 MB.
    /// @throws ConfigError  unreadable frames, a line of more than 65536 frames.
    void for_each_line(const LayerInfo& layer, const LineIndex& index, std::size_t first,
                       std::size_t last, const std::function<void(CroppedLine&)>& use) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// File names and patterns (`*`, `?`, `[...]`) to file names; a pattern's matches are sorted, a
/// name given twice counts once. @throws ConfigError  a pattern matches nothing, or nothing was
/// given.
[[nodiscard]] std::vector<std::string> expand_files(const std::vector<std::string>& patterns);

}  // namespace edgeloop
