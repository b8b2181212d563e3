#pragma once

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/data/window.hpp"
#include "edgeloop/deploy/selection.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// Inputs by which a model is checked where it runs: windows of a dataset and edge cases.
struct TestClips {
    ClipShape clip;
    std::vector<std::string> names;  ///< of each, for people, e.g. "C027/layer0003, line 12"
    std::vector<std::uint8_t>
        crops;                 ///< (count, frames, crop_side, crop_side), as shards have them
    std::vector<float> clips;  ///< (count, 1, frames, side, side): what the network sees

    [[nodiscard]] std::size_t count() const { return names.size(); }
};

/// @param windows  of the part, spread evenly over its lines, several of a line where it has fewer
/// lines; all that there are when these are fewer. Then come a black, a saturated and a noisy clip
/// and one that ends in black frames.
/// @throws ConfigError  no line of the part has room for a window.
[[nodiscard]] TestClips test_clips(const std::shared_ptr<const Dataset>& dataset, SplitPart part,
                                   const ClipShape& clip, const WindowRule& rule,
                                   std::size_t windows);

/// A file that a runtime of a device loads.
struct ModelFile {
    std::string name;                   ///< e.g. "model.onnx"
    std::string precision = "float32";  ///< of its weights
    std::string about;                  ///< for people: who loads it and what it takes
    int batch = 1;                      ///< fixed size of the first axis; 0: any
    bool takes_crops = false;           ///< bytes of a crop instead of clips; gives physical units
    std::string bytes;
    /// How far an answer y may be from the expected one: absolute + relative |y|.
    double absolute_tolerance = 1e-5, relative_tolerance = 1e-4;
};

/// Bytes of a safetensors file with what a model file must answer to the clips;
/// src/deploy/README.md says what is in it.
/// @param expected  (count, targets), in what the file gives.
[[nodiscard]] std::string vectors_of(const ModelFile& file, const TestClips& clips,
                                     const std::vector<float>& expected,
                                     const std::vector<Target>& targets, const Promise& promise);

}  // namespace edgeloop
