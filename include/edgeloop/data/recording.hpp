#pragma once

#include "edgeloop/data/external.hpp"
#include "edgeloop/data/target.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

/// A group that looks like a layer, or a link that leads nowhere where layers are; nothing in it
/// has been checked.
struct LayerGroup {
    std::string object;  ///< e.g. "C027"
    std::string layer;   ///< e.g. "layer0003"
    std::string path;    ///< inside the file, e.g. "/layer0003"
};

/// A layer whose datasets have the right types and shapes.
struct LayerInfo {
    LayerGroup group;
    std::uint64_t frames = 0;
    int height = 0, width = 0;
    bool labelled = true;                    ///< has targets
    std::uint64_t labelled_lines = 0;        ///< rows of them
    std::string index_type;                  ///< e.g. "int64", "uint16"
    std::vector<std::uint64_t> frame_chunk;  ///< empty when contiguous
    std::set<std::string> files;  ///< that hold its data: the recording, and those it refers to
};

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

/// The datasets of a layer, as they are named in errors.
enum class LayerPart { frames, index, targets };

/// A recording, read in pieces: memory does not grow with the file. Layouts differ in what is
/// virtual; a further one is a class of its own and a line in recording.cpp.
///
/// All errors are ConfigErrors that name file, group and dataset. Not for use from several threads
/// at once, not even on different files: the HDF5 library is commonly built without thread safety.
class Recording {
  public:
    virtual ~Recording() = default;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// As it was opened.
    [[nodiscard]] External external() const { return external_; }
    /// Everything that looks like a layer, by ascending name.
    [[nodiscard]] const std::vector<LayerGroup>& groups() const { return groups_; }

    /// Name of the layout, e.g. "v1.1".
    [[nodiscard]] virtual std::string layout() const = 0;
    /// What its lines are labelled with.
    [[nodiscard]] virtual const std::vector<Target>& targets() const = 0;
    /// Whether a target can have this value; networks learn nothing from others.
    [[nodiscard]] virtual bool is_usable(double value) const = 0;
    /// File, group and dataset, for errors.
    [[nodiscard]] virtual std::string place(const LayerGroup& group, LayerPart part) const = 0;
    /// Opens and checks one layer. @throws ConfigError  missing datasets, wrong rank, type or size,
    /// a link that leads nowhere, data that were never written, whose file is missing or must not
    /// be referred to, or that grow too much.
    [[nodiscard]] virtual LayerInfo layer(const LayerGroup& group) const = 0;
    /// The line of each frame; negative: it belongs to none.
    [[nodiscard]] virtual std::vector<std::int64_t> line_of_frames(
        const LayerInfo& layer) const = 0;
    /// (lines, targets) in physical units, as stored, also when not usable; empty when unlabelled.
    /// @throws ConfigError  unreadable.
    [[nodiscard]] virtual std::vector<double> stored_labels(const LayerInfo& layer) const = 0;
    /// Frames [first, first + count) of the layer, (count, height, width) bytes.
    virtual void read_frames(const LayerInfo& layer, std::uint64_t first, std::uint64_t count,
                             std::uint8_t* out) const = 0;

    /// All layers. @throws ConfigError  as layer().
    [[nodiscard]] std::vector<LayerInfo> layers() const;
    /// Labelled layers: one line per row of targets, also without frames. Others: one line per
    /// value found. @throws ConfigError  an index pointing past the targets.
    [[nodiscard]] LineIndex line_index(const LayerInfo& layer) const;
    /// stored_labels(). @throws ConfigError  also when one is not usable.
    [[nodiscard]] std::vector<double> labels(const LayerInfo& layer) const;

    /// is_usable() of all targets of a line.
    [[nodiscard]] bool are_usable(const double* labels) const;

    /// Calls `use` for the lines [first, last) that have frames, in ascending order, each cropped
    /// around its melt pool. Reads each frame once as long as the frames of a line are
    /// roughly together; memory is bounded by some 100 MB.
    /// @throws ConfigError  unreadable frames, a line of more than 65536 frames.
    void for_each_line(const LayerInfo& layer, const LineIndex& index, std::size_t first,
                       std::size_t last, Crop crop,
                       const std::function<void(CroppedLine&)>& use) const;

  protected:
    Recording(std::string path, External external, std::vector<LayerGroup> groups)
        : path_(std::move(path)), external_(external), groups_(std::move(groups)) {}

  private:
    std::string path_;
    External external_;
    std::vector<LayerGroup> groups_;
};

/// Opens a recording of any layout. @throws ConfigError  no such file, not HDF5, truncated, no
/// layer in it, layers of several layouts; IoError  no permission.
/// @param external  whether its layers may lie outside of its folder: layer() refuses them.
[[nodiscard]] std::unique_ptr<const Recording> open_recording(const std::string& path,
                                                              External external = External::refuse);

/// File names and patterns (`*`, `?`, `[...]`) to file names; a pattern's matches are sorted, a
/// name given twice counts once. @throws ConfigError  a pattern matches nothing, or nothing was
/// given.
[[nodiscard]] std::vector<std::string> expand_files(const std::vector<std::string>& patterns);

}  // namespace edgeloop
