#pragma once

#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/link/measurement.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace edgeloop {

/// A file by what is in it.
struct FileName {
    Digest digest;
    std::uint64_t bytes = 0;

    [[nodiscard]] static FileName of(std::string_view content);
    [[nodiscard]] Json to_json() const;
    /// @throws ConfigError.
    [[nodiscard]] static FileName from_json(const Json& json);
    friend bool operator==(const FileName& a, const FileName& b) {
        return a.digest == b.digest && a.bytes == b.bytes;
    }
    friend bool operator<(const FileName& a, const FileName& b) {
        return std::tie(a.digest, a.bytes) < std::tie(b.digest, b.bytes);
    }
};

/// Shape of one input with its batch axis in front, and type of its elements.
struct ModelInput {
    std::vector<std::int64_t> shape;  ///< the first is replaced by the batch size that is measured
    ElementType type = ElementType::f32;
};

/// "1x3x32x32" or "1x3x32x32:uint8", separated by commas for several inputs; empty: none.
/// @throws ConfigError  naming --input.
[[nodiscard]] std::vector<ModelInput> parse_inputs(const std::string& text);
/// As users write it: "float32". @throws ConfigError  for a name that is none.
[[nodiscard]] ElementType element_type_of(const std::string& name);
[[nodiscard]] std::string words_for(ElementType type);

/// How a file of somebody's model can be. A native one is an .elm file (src/inference/README.md).
enum class ModelFileFormat : std::uint8_t { onnx, torchscript, native };
constexpr std::array<ModelFileFormat, 3> model_file_formats{
    ModelFileFormat::onnx, ModelFileFormat::torchscript, ModelFileFormat::native};

/// @throws ConfigError  the bytes are of none.
[[nodiscard]] ModelFileFormat format_of(std::string_view bytes, const std::string& where);
[[nodiscard]] const char* name_of(ModelFileFormat format);
/// With its article: "an ONNX file".
[[nodiscard]] const char* words_for(ModelFileFormat format);
/// What runs it unless a job says otherwise. "onnx" runs also on "tensorrt".
[[nodiscard]] std::string default_runtime(ModelFileFormat format);

/// A job about a model in a file instead of a design: its "spec" names the files, which travel
/// apart from it. So the same model measured in the same way is the same job, and whoever keeps
/// jobs keeps no model twice.
struct ModelJob {
    ModelFileFormat format = ModelFileFormat::onnx;
    FileName model;
    FileName
        vectors;  ///< test inputs with expected outputs (edge/test_vectors.hpp); of 0 bytes: none
    std::vector<ModelInput> inputs;  ///< where the file does not say; empty: it does

    [[nodiscard]] bool has_vectors() const { return vectors.bytes > 0; }
    [[nodiscard]] Json to_json() const;
    /// Of the spec of a job; nothing when it is about a design. @throws ConfigError  malformed.
    [[nodiscard]] static std::optional<ModelJob> of(const std::string& spec);
    [[nodiscard]] std::vector<FileName> files() const;
};

/// Files that a job is about; none for a design, and for a spec that this release does not know.
[[nodiscard]] std::vector<FileName> files_of(const MeasurementJob& job);

/// Bounds of what somebody may have measured, where nobody says otherwise.
constexpr std::uint64_t max_model_bytes = 64ULL << 20U;

/// A model and its vectors as a user names them, read and looked at.
struct ModelFiles {
    std::string model, vectors;  ///< paths; no vectors: empty

    /// Reads both, at most `limit` bytes of each, and compares what the vectors say about the
    /// model that they are of. @throws ConfigError  also for a file that is too large, before it
    /// is read, and when `settings` ask for a runtime that does not run it.
    /// @param settings  gets the runtime.
    [[nodiscard]] ModelJob describe(std::uint64_t limit, const std::string& inputs,
                                    MeasurementSettings& settings) const;
};

}  // namespace edgeloop
