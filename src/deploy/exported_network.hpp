#pragma once

#include "deploy/crops.hpp"
#include "model/network.hpp"
#include "model/onnx_translator.hpp"
#include "model/traced_network.hpp"

#include "edgeloop/deploy/export.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

namespace edgeloop {

/// Keys and values that go into a file.
using FileMetadata = std::vector<std::pair<std::string, std::string>>;

/// A network twice: as it was trained, and as it goes into a file.
struct ExportedNetwork {
    ClipShape clip;
    bool crops = false;  ///< the file takes crops and gives physical values
    /// Of clips; the kernels that train and validate, in float64 where layers are quantised.
    std::shared_ptr<Network> trained;
    std::shared_ptr<Network> exported;  ///< the kernels that are exported; of what the file takes
    std::vector<Target> targets;

    /// What the file is given for some windows: (count, 1, frames, side, side) float32, or
    /// (count, frames, crop_side, crop_side) uint8.
    [[nodiscard]] torch::Tensor input(const Crops& from, std::size_t begin,
                                      std::size_t count) const;
    /// What the trained network gives for them, in the file's units: (count, targets).
    [[nodiscard]] torch::Tensor expected(const Crops& from, std::size_t begin,
                                         std::size_t count) const;
    /// Normalised values from those of the file.
    [[nodiscard]] torch::Tensor normalised(const torch::Tensor& output) const;
};

/// @param weights_file  empty: initial weights.
/// @throws ConfigError  as trained_network(); other outputs than targets.
[[nodiscard]] ExportedNetwork exported_network(const StoredNetwork& from, bool with_preprocessing);

/// Bytes of a TorchScript file. @throws ConfigError  LibTorch cannot compute in this precision.
[[nodiscard]] std::string torchscript_of(const ExportedNetwork& network, FilePrecision precision,
                                         TracedOutputs outputs, const FileMetadata& metadata);

/// A traced graph; what points into it is valid as long as it lives.
struct TracedGraph {
    torch::jit::Module module;
    std::shared_ptr<torch::jit::Graph> graph;
    torch::Tensor example;
};
/// @param batch  0: free.
[[nodiscard]] TracedGraph traced_graph(const ExportedNetwork& network, int batch,
                                       TracedOutputs outputs);
/// Bytes of an ONNX file. @throws ConfigError  it has no translation, or is too large.
[[nodiscard]] std::string onnx_of(const TracedGraph& traced, const std::string& name,
                                  const OnnxForm& form, const FileMetadata& metadata);

/// Runs a file; all its outputs.
using FileRunner = std::function<std::vector<torch::Tensor>(const torch::Tensor& input)>;
/// @param bytes  of the file. REQUIRES: for ONNX has_onnx_runtime().
[[nodiscard]] FileRunner runner_of(const std::string& bytes, ModelFormat format);

}  // namespace edgeloop
