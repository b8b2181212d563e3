#pragma once

#include "edgeloop/data/split.hpp"
#include "edgeloop/data/window.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace edgeloop {

/// What has become of a camera since its recordings were made: frames are blurred, then a grey
/// value x is gain x + offset.
struct CameraDrift {
    double gain = 1, offset = 0;
    double blur_px = 0;  ///< standard deviation
};

struct LabelledOptions {
    std::string data;  ///< folder of shards
    std::string output;
    SplitPart part = SplitPart::validation;
    WindowRule window;
    int windows_per_line = 1;
    std::size_t lines = 0;   ///< a choice of so many; 0: all
    std::uint64_t seed = 0;  ///< of the choice
    CameraDrift drift;
};

/// Writes labelled clips for `edgeloop-edge adapt` (src/adaptation/README.md has the format): a
/// safetensors file with `input`, `expected` and `line`.
///
/// @return number of clips.
/// @throws ConfigError  no shards, no lines, an output that cannot be; IoError.
std::size_t write_labelled(const LabelledOptions& options);

}  // namespace edgeloop
