#pragma once

#include "data/hdf5.hpp"

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
void require_stored(Dataset& dataset, int depth = 0);

}  // namespace edgeloop::hdf5
