#pragma once

#include "data/hdf5.hpp"

#include "edgeloop/data/recording.hpp"

#include <memory>
#include <string>

namespace edgeloop {

// Each opens a file as a recording of one layout; nothing when it has no layer where that layout
// has its layers.

/// RAISE-LPBF v1.0, groups /<object>/<layer>, or v1.1, groups /<layer>; the object is the file's
/// name. @throws ConfigError  layers of both.
[[nodiscard]] std::unique_ptr<const Recording> open_raise(std::shared_ptr<const hdf5::Handle> file,
                                                          const std::string& path,
                                                          External external);

}  // namespace edgeloop
