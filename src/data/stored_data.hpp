#pragma once

#include "data/virtual_data.hpp"

namespace edgeloop::hdf5 {

/// Refuses a shape whose elements cannot be counted, and chunks that are too large to be inflated
/// whole, as HDF5 does. @throws ConfigError.
void check_sizes(const Dataset& dataset);

/// Refuses a dataset of which HDF5 would make up values: it answers with the fill value, without an
/// error, for chunks that were never written, virtual datasets whose sources are missing or too
/// short, and external files that end early. Refuses also data that grow too much when they are
/// read, external files that the recording must not refer to, and filters that this process cannot
/// undo.
///
/// Adds to `dataset.files` every file that holds a part of its data, and notes what they store.
/// Reads no data; the cost is a walk over the list of chunks.
///
/// A dataset whose space was allocated early and that was then never written cannot be told from
/// one full of zeros.
///
/// @param list  how it was created.
/// @param sources  of a virtual dataset; null: it is none.
/// @throws ConfigError  with file, dataset, the first index that is missing or the missing source.
void require_stored(Dataset& dataset, hid_t list, const VirtualSources* sources,
                    const References& references);

}  // namespace edgeloop::hdf5
