#pragma once

#include "data/hdf5.hpp"

#include "edgeloop/data/raise_file.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// Layers of a file of either layout, by ascending name.
///
/// A layer is a group with `frame` and `scan_line_index`, whatever it is called, or one that is
/// called layerNNNN and stands where layers are. They are in the root (v1.1) or in the groups in
/// the root (v1.0); everything else in the file is ignored. A link that leads nowhere and may have
/// been a layer is among the result: reading it gives the error.
///
/// @throws ConfigError  no layer, or layers at both places.
[[nodiscard]] std::vector<LayerGroup> find_layer_groups(hid_t file, const std::string& path);

}  // namespace edgeloop
