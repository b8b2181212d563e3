#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/data/split.hpp"
#include "edgeloop/deploy/scores.hpp"
#include "edgeloop/deploy/stored_network.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

enum class ModelFormat {
    onnx,
    torchscript,
    qonnx,  ///< ONNX with integers of any bits, for FINN, hls4ml and others: quantised networks
            ///< only
    native  ///< .elm (src/inference/README.md): takes crops and clips, one at a time
};
enum class FilePrecision {
    float32,
    float16,  ///< weights and results; input and output stay float32
    int8      ///< static, per channel, in QDQ form: ONNX only
};
[[nodiscard]] const char* to_string(ModelFormat format);
[[nodiscard]] const char* to_string(FilePrecision precision);

/// How far an output y of a float32 file may be from the network's, in normalised units:
/// absolute + relative |y|.
constexpr double float_absolute_tolerance = 1e-5, float_relative_tolerance = 1e-4;
/// So many times as much may a file of integers differ from fake quantisation in float64: a sum
/// at the border of two activations may become the other one.
constexpr double rounding_allowance = 200;

struct ExportRequest {
    StoredNetwork network;  ///< without weights_file: initial weights that are always the same
    ModelFormat format = ModelFormat::onnx;
    FilePrecision precision = FilePrecision::float32;
    int batch = 1;  ///< of an ONNX file; 0: free. A TorchScript file takes any.
    /// uint8 crops (N, frames, 41, 41) go in and physical values come out; otherwise normalised
    /// clips (N, 1, frames, side, side) go in and targets divided by their scales come out.
    bool with_preprocessing = false;
    /// Folder of shards: recorded clips to compare with, to calibrate int8 with and to judge int8
    /// and float16 by. Empty: none.
    std::string data;
    int clips = 1000;  ///< compared, recorded and edge cases together; and most that are judged
    /// Crops whose input and output the report has: (count, frames, crop_side, crop_side).
    std::vector<std::uint8_t> examples;
    Json provenance = Json::object();  ///< what else the file's metadata says of its origin
    std::string output;
};

/// Clips with what the file gives for them, for whoever checks it elsewhere.
struct ExportExamples {
    std::vector<std::int64_t> input_shape;
    bool crops = false;           ///< the input is uint8, else float32
    std::string input;            ///< its elements, row major, little endian
    std::vector<float> expected;  ///< (clips, targets)
};

struct ExportReport {
    std::string file;
    std::size_t bytes = 0;
    std::string digest;                      ///< of the file's bytes
    std::string runtime;                     ///< that ran the file here; empty: none
    std::size_t compared = 0, recorded = 0;  ///< clips, and those of them from recordings
    /// float32: largest difference in parts of what is allowed; at most 1.
    double largest_difference = 0;
    /// int8 and float16, where they were judged: windows > 0. RMSE of the file over the network's.
    RmseRatio change;
    SplitPart judged_part = SplitPart::test;
    double network_rmse = 0, file_rmse = 0;  ///< of the normalised targets together
    bool simulated = false;  ///< judged by the same roundings in LibTorch: no runtime ran the file
    std::vector<Target> targets;
    ExportExamples examples;
};

/// Writes a network as a file that other programs run, after comparing the two.
///
/// float32: the file is run on at least request.clips clips, recorded ones and edge cases (black,
/// saturated, noise, padded with black frames), and must give what the network gives within the
/// tolerances above. int8 and float16: the change of the RMSE on the test part, or where that has
/// no labels the validation part, is reported with an interval. A build without ONNX Runtime
/// compares no ONNX file; the report says so.
///
/// Native files have no name of the layer that differs.
/// @throws ConfigError  weights of another network, a form that cannot be written, int8 without
///                      data, shards of another kind; the file differs: the first layer that does
///                      is named. Nothing is written then.
/// @throws IoError      memory or disk ran out; nothing is written.
[[nodiscard]] ExportReport export_model(const ExportRequest& request);

/// For people, a line each.
[[nodiscard]] std::string to_text(const ExportReport& report, const ExportRequest& request);

}  // namespace edgeloop
