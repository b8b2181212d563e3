#pragma once

#include "data/hdf5.hpp"

#include <string>

namespace edgeloop::hdf5 {

/// Name of the file that holds the dataset itself, which a link may have led to.
[[nodiscard]] std::string file_of(const Dataset& dataset);

/// A search path of HDF5 with `${ORIGIN}` replaced by the folder of `file`.
[[nodiscard]] std::string with_origin(std::string prefix, const std::string& file);

/// Blocks that may be missing between those of a virtual dataset with numbered sources
/// ("part-%b.h5") and are still looked for.
constexpr hsize_t max_gap = 64;

/// Refuses a virtual dataset unless all of its elements come from sources that are there, whole and
/// large enough. Adds the sources' files to `dataset.files`. @throws ConfigError.
void check_virtual(Dataset& dataset, hid_t creation_list, int depth);

}  // namespace edgeloop::hdf5
