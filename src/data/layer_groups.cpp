#include "data/layer_groups.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>

namespace edgeloop {
namespace {

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
int datasets_of_layer(hid_t parent, const std::string& name) {
    const hdf5::Handle group(H5Gopen2(parent, name.c_str(), H5P_DEFAULT), H5Gclose);
    const bool frames = hdf5::link_exists(group.get(), "frame");
    const bool index = hdf5::link_exists(group.get(), "scan_line_index");
    if (frames && index) return 2;
    return frames || index || hdf5::link_exists(group.get(), "laser_params") ? 1 : 0;
}

Level examine(hid_t parent, const hdf5::Place& place) {
    Level level;
    bool found = false;
    for (const std::string& name : hdf5::link_names(parent, place)) {
        const hdf5::LinkEnd end = hdf5::link_end(parent, name);
        if (end == hdf5::LinkEnd::broken) level.broken.push_back(name);
        if (end != hdf5::LinkEnd::group) continue;
        const int datasets = datasets_of_layer(parent, name);
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
void add_layers_of_object(hid_t file, const std::string& path, const std::string& object,
                          std::vector<LayerGroup>& groups) {
    const hdf5::Place place{path, "/" + object};
    const hdf5::Handle group(H5Gopen2(file, object.c_str(), H5P_DEFAULT), H5Gclose);
    if (!group.valid()) hdf5::throw_bad_input(place, "the group cannot be opened");
    Level level = examine(group.get(), place);
    for (const std::string& name : level.broken)
        if (!level.layers.empty() || is_layer_name(name)) level.layers.push_back(name);
    std::sort(level.layers.begin(), level.layers.end());
    for (const std::string& name : level.layers)
        groups.push_back({RaiseLayout::v1_0, object, name, place.object + "/" + name});
}

void refuse_both_layouts(const std::string& path, const LayerGroup& nested,
                         const std::string& in_root) {
    throw ConfigError(
        fmt::format("file '{}' has layers of both layouts: '/{}' and '{}'", path, in_root,
                    nested.path),
        "RAISE-LPBF files have groups /layerNNNN (v1.1) or /<object>/layerNNNN (v1.0)",
        "make a file of each");
}

}  // namespace

std::vector<LayerGroup> find_layer_groups(hid_t file, const std::string& path) {
    Level root = examine(file, {path, "/"});
    std::vector<LayerGroup> groups;
    std::sort(root.others.begin(), root.others.end());
    for (const std::string& name : root.others) add_layers_of_object(file, path, name, groups);
    if (!groups.empty() && !root.layers.empty())
        refuse_both_layouts(path, groups.front(), root.layers.front());
    const bool nested = !groups.empty();
    std::vector<std::string> in_root = root.layers;
    in_root.insert(in_root.end(), root.broken.begin(), root.broken.end());
    std::sort(in_root.begin(), in_root.end());
    const std::string stem = std::filesystem::path(path).stem().string();
    for (const std::string& name : in_root) {
        if (nested)
            groups.push_back({RaiseLayout::v1_0, name, "", "/" + name});
        else
            groups.push_back({RaiseLayout::v1_1, stem, name, "/" + name});
    }
    if (groups.empty())
        throw ConfigError(
            fmt::format("file '{}' has no layer", path),
            "RAISE-LPBF files have groups /layerNNNN (v1.1) or /<object>/layerNNNN (v1.0) with "
            "datasets frame and scan_line_index",
            "check that this is the right file");
    return groups;
}

}  // namespace edgeloop
