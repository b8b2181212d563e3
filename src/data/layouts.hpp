#pragma once

#include "data/hdf5.hpp"

#include "edgeloop/data/recording.hpp"

#include <memory>
#include <string>

namespace edgeloop {

/// Opens a file as a recording of one layout; nothing when it has no layer where that layout has
/// its layers.
using OpenLayout = std::unique_ptr<const Recording> (*)(std::shared_ptr<const hdf5::Handle> file,
                                                        const std::string& path);

/// Groups /<object>/<layer>.
[[nodiscard]] std::unique_ptr<const Recording> open_raise_v1_0(
    std::shared_ptr<const hdf5::Handle> file, const std::string& path);
/// Groups /<layer>; the object is the file's name.
[[nodiscard]] std::unique_ptr<const Recording> open_raise_v1_1(
    std::shared_ptr<const hdf5::Handle> file, const std::string& path);

}  // namespace edgeloop
