#pragma once

#include "data/hdf5.hpp"

#include <string>

namespace edgeloop::hdf5 {

/// Refuses a dataset of which HDF5 would make up values: it answers with the fill value, without an
/// error, for chunks that were never written, virtual datasets whose sources are missing or too
/// short, and external files that end early. Also refuses filters that this process cannot undo.
///
/// Adds to `dataset.files` every file that holds a part of its data. Reads no data; the cost is a
/// walk over the list of chunks, and opening each source of a virtual dataset.
///
/// A dataset whose space was allocated early and that was then never written cannot be told from
/// one full of zeros.
///
/// @param depth  of virtual datasets whose sources are virtual.
/// @throws ConfigError  with file, dataset, the first index that is missing or the missing source.
void require_stored(Dataset& dataset, int depth);

// The part of it for virtual datasets, and what both parts need.

/// Blocks that may be missing between those of a virtual dataset with numbered sources
/// ("part-%b.h5") and are still looked for.
constexpr hsize_t max_gap = 64;

/// Refuses a virtual dataset unless all of its elements come from sources that are there, whole and
/// large enough. Adds the sources' files to `dataset.files`. @throws ConfigError.
void check_virtual(Dataset& dataset, hid_t creation_list, int depth);

/// Name of the file that holds the dataset itself, which a link may have led to.
[[nodiscard]] std::string file_of(const Dataset& dataset);

/// A search path of HDF5 with `${ORIGIN}` replaced by the folder of `file`.
[[nodiscard]] std::string with_origin(std::string prefix, const std::string& file);

}  // namespace edgeloop::hdf5
