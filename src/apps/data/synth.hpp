#pragma once

#include "apps/data/process.hpp"

#include "edgeloop/data/progress.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// Of the files: v1.0, with groups /<object>/<layer>, or v1.1, with a file for each object.
enum class RaiseLayout { v1_0, v1_1 };

/// What to generate. Speeds are uniform in 300..1500 mm/s, powers in 100..350 W, independent.
struct SynthOptions {
    RaiseLayout layout = RaiseLayout::v1_1;
    int version = 2;  ///< of the generator; 1: lines of one length, hardly any disturbance
    int objects = 2;
    int layers = 6;  ///< of each object
    int lines = 40;  ///< of each layer
    int height = 64, width = 64;
    double part_size_mm = 7;          ///< version 2: mean width of the objects
    Effects effects = all_effects();  ///< version 2
    DriftRange drift;                 ///< version 2
    double line_length_mm = 1.2;      ///< version 1
    std::uint64_t seed = 0;
    int threads = 0;  ///< 0: one per core this process may use; the bytes do not depend on it
    int deflate = 0;  ///< 0..9: compression of the frames
    bool hide_test_labels = false;  ///< no laser_params in test files (v1.0) or objects (v1.1)
    std::string output;             ///< folder
};

/// Writes files in the RAISE-LPBF layout with a physical model of the melt pool;
/// src/apps/data/README.md says what it models and what it does not. The same options give the same
/// bytes.
///
/// v1.1: one file per object, C027.hdf5 onwards. v1.0: RAISE_LPBF_train.hdf5 and, with two objects
/// or more, RAISE_LPBF_test.hdf5 with the last quarter of them. A file appears under its name only
/// when whole.
///
/// @param progress  in scan lines.
/// @return paths of the files.
/// @throws ConfigError  an option out of range; IoError; Stopped  a signal asked for it.
std::vector<std::string> synthesise(const SynthOptions& options,
                                    const ProgressCallback& progress = {});

}  // namespace edgeloop
