#pragma once

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/preprocessing/frames.hpp"

namespace edgeloop {

/// Mean and standard deviation of the grey values (0 to 1) of the training lines, to three
/// significant digits: what makes the pixels of these data 0 on average, with deviation 1. From
/// every fourth frame of at most 500 lines, spread evenly.
///
/// The published constants when there is no training line, or when all pixels are equal.
[[nodiscard]] Normalisation pixel_statistics(const Dataset& dataset);

}  // namespace edgeloop
