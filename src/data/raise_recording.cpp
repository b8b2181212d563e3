// RAISE-LPBF, versions 1.0 and 1.1. They differ in where the layers are.
#include "data/layouts.hpp"
#include "data/links.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t max_frames_in_layer = 1ull << 27;
/// Of frames that are stored: each costs its reader some 30 bytes. Black ones of 8 x 8 take one.
constexpr std::uint64_t max_frames_in_a_byte = 16, harmless_frames = 1ull << 20;
constexpr std::uint64_t max_lines_in_layer = 1ull << 24;
constexpr std::uint64_t max_image_side = 8192;
/// No laser is near it, and its square is a number in single precision.
constexpr double max_parameter = 1e9;
constexpr std::size_t max_chunk_cache_bytes = std::size_t(32) << 20;

std::string shape_text(const std::vector<std::uint64_t>& shape) {
    return fmt::format("({})", fmt::join(shape, ", "));
}

void check_frames(const hdf5::Dataset& frames) {
    if (frames.kind != hdf5::NumberKind::integer || frames.element_bytes != 1 || frames.is_signed)
        hdf5::throw_bad_input(frames.place, "frames must be unsigned 8-bit integers");
    const auto& shape = frames.shape;
    if (shape.size() != 3)
        hdf5::throw_bad_input(frames.place, fmt::format("shape {} is not (frames, height, width)",
                                                        shape_text(shape)));
    if (shape[1] == 0 || shape[2] == 0 || shape[1] > max_image_side || shape[2] > max_image_side ||
        shape[0] > max_frames_in_layer)
        hdf5::throw_bad_input(
            frames.place,
            fmt::format("shape {} is out of range: height and width 1 to {}, at most {} frames",
                        shape_text(shape), max_image_side, max_frames_in_layer));
    if (shape[0] > harmless_frames && shape[0] / max_frames_in_a_byte > frames.stored_bytes)
        hdf5::throw_bad_input(frames.place,
                              fmt::format("{} frames would be made of {} stored bytes", shape[0],
                                          frames.stored_bytes));
}

void check_index(const hdf5::Dataset& index, std::uint64_t frames) {
    if (index.kind != hdf5::NumberKind::integer || index.element_bytes > 8)
        hdf5::throw_bad_input(index.place, "the index must be integers");
    if (index.shape.size() != 1 || index.shape[0] != frames)
        hdf5::throw_bad_input(
            index.place, fmt::format("shape {} does not match the {} frames of dataset 'frame'",
                                     shape_text(index.shape), frames));
}

void check_parameters(const hdf5::Dataset& parameters) {
    if (parameters.kind != hdf5::NumberKind::real)
        hdf5::throw_bad_input(parameters.place, "laser parameters must be floating-point numbers");
    const std::size_t columns = raise_targets().size();
    if (parameters.shape.size() != 2 || parameters.shape[1] != columns)
        hdf5::throw_bad_input(parameters.place, fmt::format("shape {} is not (lines, {})",
                                                            shape_text(parameters.shape), columns));
    if (parameters.shape[0] > max_lines_in_layer)
        hdf5::throw_bad_input(parameters.place,
                              fmt::format("{} lines; at most {} are supported", parameters.shape[0],
                                          max_lines_in_layer));
}

/// Cache that holds the chunks one frame touches, so that neighbouring reads inflate each once.
std::size_t cache_bytes_for(const LayerInfo& layer) {
    const auto& chunk = layer.frame_chunk;
    if (chunk.size() != 3) return 0;
    const std::uint64_t down = (std::uint64_t(layer.height) + chunk[1] - 1) / chunk[1];
    const std::uint64_t across = (std::uint64_t(layer.width) + chunk[2] - 1) / chunk[2];
    const double bytes = 2.0 * double(across) * double(down) * double(chunk[0]) * double(chunk[1]) *
                         double(chunk[2]);
    return static_cast<std::size_t>(
        std::clamp(bytes, double(1 << 20), double(max_chunk_cache_bytes)));
}

class RaiseRecording final : public Recording {
  public:
    RaiseRecording(std::shared_ptr<const hdf5::Handle> file, const std::string& path,
                   const char* layout, External external, std::vector<LayerGroup> groups)
        : Recording(path, external, std::move(groups)), file_(std::move(file)), layout_(layout) {}

    [[nodiscard]] std::string layout() const override { return layout_; }
    [[nodiscard]] const std::vector<Target>& targets() const override { return raise_targets(); }
    [[nodiscard]] bool is_usable(double value) const override {
        return value > 0 && value <= max_parameter;
    }
    [[nodiscard]] std::string place(const LayerGroup& group, LayerPart part) const override {
        return place_of(group, part).text();
    }
    [[nodiscard]] LayerInfo layer(const LayerGroup& group) const override;
    [[nodiscard]] std::vector<std::int64_t> line_of_frames(const LayerInfo& layer) const override;
    [[nodiscard]] std::vector<double> stored_labels(const LayerInfo& layer) const override;
    void read_frames(const LayerInfo& layer, std::uint64_t first, std::uint64_t count,
                     std::uint8_t* out) const override;

  private:
    [[nodiscard]] hdf5::Place place_of(const LayerGroup& group, LayerPart part) const {
        constexpr const char* names[] = {"/frame", "/scan_line_index", "/laser_params"};
        return {path(), group.path + names[static_cast<std::size_t>(part)]};
    }
    [[nodiscard]] hdf5::Dataset open(const LayerGroup& group, LayerPart part) const {
        return hdf5::open_dataset(file_->get(), place_of(group, part),
                                  {0, hdf5::Stored::required, external()});
    }

    std::shared_ptr<const hdf5::Handle> file_;
    const char* layout_;
    // The frame dataset read last stays open, so that its chunk cache serves the next read.
    mutable std::string open_path_;
    mutable hdf5::Dataset open_frames_;
};

LayerInfo RaiseRecording::layer(const LayerGroup& group) const {
    const hdf5::Dataset frames = open(group, LayerPart::frames);
    check_frames(frames);
    const hdf5::Dataset index = open(group, LayerPart::index);
    check_index(index, frames.shape[0]);
    LayerInfo info;
    info.group = group;
    info.files = frames.files;
    info.files.insert(index.files.begin(), index.files.end());
    info.frames = frames.shape[0];
    info.height = int(frames.shape[1]);
    info.width = int(frames.shape[2]);
    info.index_type = fmt::format("{}int{}", index.is_signed ? "" : "u", 8 * index.element_bytes);
    info.frame_chunk = frames.chunk;
    info.labelled = hdf5::find(file_->get(), place_of(group, LayerPart::targets).object,
                               hdf5::References{path(), external()})
                        .end != hdf5::LinkEnd::missing;
    if (info.labelled) {
        const hdf5::Dataset labels = open(group, LayerPart::targets);
        check_parameters(labels);
        info.labelled_lines = labels.shape[0];
        info.files.insert(labels.files.begin(), labels.files.end());
    }
    return info;
}

std::vector<std::int64_t> RaiseRecording::line_of_frames(const LayerInfo& layer) const {
    const hdf5::Dataset dataset = open(layer.group, LayerPart::index);
    check_index(dataset, layer.frames);
    std::vector<std::int64_t> lines(layer.frames);
    hdf5::read_rows(dataset, 0, layer.frames, H5T_NATIVE_INT64, lines.data());
    return lines;
}

std::vector<double> RaiseRecording::stored_labels(const LayerInfo& layer) const {
    if (!layer.labelled) return {};
    const hdf5::Dataset dataset = open(layer.group, LayerPart::targets);
    check_parameters(dataset);
    std::vector<double> labels(dataset.shape[0] * dataset.shape[1]);
    hdf5::read_rows(dataset, 0, dataset.shape[0], H5T_NATIVE_DOUBLE, labels.data());
    return labels;
}

void RaiseRecording::read_frames(const LayerInfo& layer, std::uint64_t first, std::uint64_t count,
                                 std::uint8_t* out) const {
    if (open_path_ != layer.group.path) {
        open_path_.clear();
        // layer() has seen that all of it is there.
        open_frames_ =
            hdf5::open_dataset(file_->get(), place_of(layer.group, LayerPart::frames),
                               {cache_bytes_for(layer), hdf5::Stored::known, external()});
        open_path_ = layer.group.path;
    }
    hdf5::read_rows(open_frames_, first, count, H5T_NATIVE_UINT8, out);
}

/// Groups of one level of the file.
struct Level {
    std::vector<std::string> layers;  ///< empty when this is no place of layers
    std::vector<std::string> broken;  ///< links that lead nowhere
    std::vector<std::string> others;  ///< groups that are no layers
};

/// "layer0012"
bool is_layer_name(const std::string& name) {
    const std::string word = "layer";
    return name.size() > word.size() && name.rfind(word, 0) == 0 &&
           std::all_of(name.begin() + std::ptrdiff_t(word.size()), name.end(),
                       [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// How many of a layer's datasets a group names.
int datasets_of_layer(const hdf5::Handle& group) {
    const bool frames = hdf5::has_link(group.get(), "frame");
    const bool index = hdf5::has_link(group.get(), "scan_line_index");
    if (frames && index) return 2;
    return frames || index || hdf5::has_link(group.get(), "laser_params") ? 1 : 0;
}

Level examine(hid_t parent, const hdf5::Place& place, const hdf5::References& references) {
    Level level;
    bool found = false;
    for (const std::string& name : hdf5::link_names(parent, place)) {
        const hdf5::Target target = hdf5::find(parent, name, references);
        if (target.end == hdf5::LinkEnd::broken) level.broken.push_back(name);
        if (target.end != hdf5::LinkEnd::group) continue;
        const int datasets = datasets_of_layer(target.open_group());
        if (datasets == 2 || is_layer_name(name)) {
            level.layers.push_back(name);
            found = found || datasets > 0;
        } else {
            level.others.push_back(name);
        }
    }
    if (!found) {
        level.others.insert(level.others.end(), level.layers.begin(), level.layers.end());
        level.layers.clear();
    }
    return level;
}

/// Layers of a group in the root, in the v1.0 layout.
void add_layers_of_object(hid_t file, const hdf5::Place& place, const std::string& object,
                          const hdf5::References& references, std::vector<LayerGroup>& groups) {
    const hdf5::Target target = hdf5::find(file, place.object, references);
    if (target.end != hdf5::LinkEnd::group)
        hdf5::throw_bad_input(place, "the group cannot be opened");
    const hdf5::Handle group = target.open_group();
    Level level = examine(group.get(), place, references);
    for (const std::string& name : level.broken)
        if (!level.layers.empty() || is_layer_name(name)) level.layers.push_back(name);
    std::sort(level.layers.begin(), level.layers.end());
    for (const std::string& name : level.layers)
        groups.push_back({object, name, place.object + "/" + name});
}

/// Layers in the root, in the v1.1 layout.
std::vector<LayerGroup> layers_in_root(const std::string& path, Level root) {
    root.layers.insert(root.layers.end(), root.broken.begin(), root.broken.end());
    std::sort(root.layers.begin(), root.layers.end());
    std::vector<LayerGroup> groups;
    const std::string object = std::filesystem::path(path).stem().string();
    for (const std::string& name : root.layers) groups.push_back({object, name, "/" + name});
    return groups;
}

}  // namespace

std::unique_ptr<const Recording> open_raise(std::shared_ptr<const hdf5::Handle> file,
                                            const std::string& path, External external) {
    const hdf5::References references{path, external};
    Level root = examine(file->get(), {path, "/"}, references);
    std::sort(root.others.begin(), root.others.end());
    std::vector<LayerGroup> groups;
    for (const std::string& name : root.others)
        add_layers_of_object(file->get(), {path, "/" + name}, name, references, groups);
    const bool in_objects = !groups.empty();
    if (in_objects && !root.layers.empty())
        throw ConfigError(
            fmt::format("file '{}' has layers of both layouts: '{}' (v1.0) and '{}' (v1.1)", path,
                        groups.front().path, layers_in_root(path, root).front().path),
            "RAISE-LPBF files have groups /layerNNNN (v1.1) or /<object>/layerNNNN (v1.0)",
            "make a file of each");
    if (!in_objects) groups = layers_in_root(path, root);
    if (groups.empty()) return nullptr;
    // A link that leads nowhere may have been an object.
    for (std::size_t i = 0; in_objects && i < root.broken.size(); ++i)
        groups.push_back({root.broken[i], "", "/" + root.broken[i]});
    return std::make_unique<RaiseRecording>(std::move(file), path, in_objects ? "v1.0" : "v1.1",
                                            external, std::move(groups));
}

}  // namespace edgeloop
