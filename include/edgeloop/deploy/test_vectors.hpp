#pragma once

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/data/window.hpp"
#include "edgeloop/deploy/export.hpp"
#include "edgeloop/deploy/selection.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// Inputs by which a model is checked where it runs: windows of a dataset and edge cases.
struct TestClips {
    int frames = 0;
    std::vector<std::string> names;  ///< of each, for people
    std::vector<std::uint8_t>
        crops;  ///< (count, frames, crop_side, crop_side), as shards have them

    [[nodiscard]] std::size_t count() const { return names.size(); }
};

/// @param windows  of the part, spread evenly over its lines, several of a line where it has fewer
/// lines; all that there are when these are fewer. Then come a black, a saturated and a noisy clip
/// and one that ends in black frames.
/// @throws ConfigError  no line of the part has room for a window.
[[nodiscard]] TestClips test_clips(const std::shared_ptr<const Dataset>& dataset, SplitPart part,
                                   const WindowRule& rule, std::size_t windows);

/// A file that a runtime of a device loads, in a folder that is handed over.
struct DeployedFile {
    std::string name;  ///< e.g. "model.onnx"
    ExportRequest request;
    ExportReport report;
    /// How far an answer y may be from the expected one: absolute + relative |y|.
    double absolute_tolerance = float_absolute_tolerance;
    double relative_tolerance = float_relative_tolerance;

    /// Clips a run takes; 0: any number.
    [[nodiscard]] int batch() const {
        return request.format == ModelFormat::torchscript ? 0 : request.batch;
    }
};

/// Bytes of a safetensors file with what a model file must answer to its report's examples;
/// src/deploy/README.md says what is in it.
/// @param names  of the examples.
[[nodiscard]] std::string vectors_of(const DeployedFile& file,
                                     const std::vector<std::string>& names, const Promise& promise);

}  // namespace edgeloop
