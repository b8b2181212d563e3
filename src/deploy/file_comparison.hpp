#pragma once

#include "deploy/exported_network.hpp"

#include <cstddef>
#include <string>

#include <torch/types.h>

namespace edgeloop {

/// Runs a file on windows, a batch at a time; a last batch that is not full is filled up.
/// @return its first output, (windows, targets).
[[nodiscard]] torch::Tensor run_file(const FileRunner& run, const ExportedNetwork& network,
                                     const Crops& crops, int batch);
/// What the trained network gives for them, in the file's units.
[[nodiscard]] torch::Tensor run_trained(const ExportedNetwork& network, const Crops& crops,
                                        int batch);

/// Differences in parts of what is allowed, absolute + relative |expected|, of each number.
/// Both in normalised units. Not finite where one of them is not.
[[nodiscard]] torch::Tensor differences(const torch::Tensor& values, const torch::Tensor& expected);

/// The name of the first layer whose result differs by more than is allowed, for one window; its
/// numbers count by the largest of the layer. "output" when only the last does.
/// @param run  a file with the outputs of all layers (TracedOutputs::layers).
[[nodiscard]] std::string first_different_layer(const FileRunner& run,
                                                const ExportedNetwork& network, const Crops& crops,
                                                std::size_t window);

}  // namespace edgeloop
