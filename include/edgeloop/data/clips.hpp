#pragma once

#include "edgeloop/data/external.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

struct ClipsOptions {
    std::vector<std::string> input;  ///< RAISE-LPBF files or patterns
    std::string output;              ///< HDF5 file
    int frames = 16;                 ///< T
    int stride = 1;
    int side = 64;  ///< S
    bool center =
        false;  ///< centred windows as in validation; otherwise random ones as in training
    std::uint64_t seed = 0;  ///< of the random windows
    External external = External::refuse;
};

/// Writes what a model would see of each line that has frames, in file order.
///
/// Datasets: `clip` (line, 1, T, S, S) float32; `target` (line, targets) float32, each
/// divided by its scale, NaN when unlabelled; `crop_u8` (line, 1, T, 41, 41), the same before
/// normalisation and resize; `where` (line), "file:/group/line crop_center=(row, column)". Memory
/// does not grow with the files.
///
/// @return number of lines.
/// @throws ConfigError  an option out of range or an unusable input; IoError; Stopped  a signal
/// asked for it. Then nothing is left behind.
std::uint64_t write_clips(const ClipsOptions& options);

}  // namespace edgeloop
