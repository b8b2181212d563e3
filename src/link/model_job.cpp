#include "edgeloop/link/model_job.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr const char* model_key = "model";
constexpr std::size_t digest_digits = 32, max_inputs = 16, max_axes = 8;
constexpr std::int64_t max_axis = 1 << 24;

const std::array<std::pair<ElementType, const char*>, 6> type_words{{{ElementType::f32, "float32"},
                                                                     {ElementType::f16, "float16"},
                                                                     {ElementType::u8, "uint8"},
                                                                     {ElementType::i8, "int8"},
                                                                     {ElementType::i32, "int32"},
                                                                     {ElementType::i64, "int64"}}};

Digest digest_of(const std::string& hex) {
    const auto half = [&](std::size_t at) {
        std::uint64_t value = 0;
        for (const char c : hex.substr(at, digest_digits / 2)) {
            const bool is_digit = c >= '0' && c <= '9';
            if (!is_digit && (c < 'a' || c > 'f')) throw ConfigError("a digest that is none");
            value = value << 4U | static_cast<std::uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
        }
        return value;
    };
    if (hex.size() != digest_digits) throw ConfigError("a digest that is none");
    return {half(0), half(digest_digits / 2)};
}

void check_shape(const std::vector<std::int64_t>& shape) {
    if (shape.empty() || shape.size() > max_axes ||
        std::any_of(shape.begin(), shape.end(),
                    [](std::int64_t n) { return n < 1 || n > max_axis; }))
        throw ConfigError(fmt::format("an input has 1 to {} axes of 1 to {}", max_axes, max_axis));
}

}  // namespace

FileName FileName::of(std::string_view content) {
    return {edgeloop::digest(content), content.size()};
}

Json FileName::to_json() const { return {{"digest", digest.hex()}, {"bytes", bytes}}; }

FileName FileName::from_json(const Json& json) {
    require_known_keys(json, {"digest", "bytes"}, "file");
    if (!json.contains("bytes") || !json.at("bytes").is_number_unsigned() ||
        !json.contains("digest") || !json.at("digest").is_string())
        throw ConfigError("file: neither digest nor size");
    return {digest_of(json.at("digest")), json.at("bytes").get<std::uint64_t>()};
}

ElementType element_type_of(const std::string& name) {
    for (const auto& [type, word] : type_words)
        if (name == word) return type;
    throw ConfigError(fmt::format("'{}' is no type of elements", printable(name)),
                      "there are float32, float16, uint8, int8, int32 and int64");
}

std::string words_for(ElementType type) {
    for (const auto& [known, word] : type_words)
        if (known == type) return word;
    return "unknown";
}

std::vector<ModelInput> parse_inputs(const std::string& text) {
    std::vector<ModelInput> inputs;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        ModelInput input;
        const std::size_t colon = std::min(part.find(':'), part.size());
        try {
            if (colon < part.size()) input.type = element_type_of(part.substr(colon + 1));
            std::istringstream lengths(part.substr(0, colon) + 'x');  // also after the last
            for (std::string length; std::getline(lengths, length, 'x');)
                input.shape.push_back(number_in<std::int64_t>(length).value_or(0));
            check_shape(input.shape);
        } catch (const ConfigError& error) {
            throw ConfigError(fmt::format("--input: '{}' is no input", part), error.what(),
                              "write it like 1x3x32x32 or 1x3x32x32:uint8");
        }
        inputs.push_back(std::move(input));
    }
    if (inputs.size() > max_inputs)
        throw ConfigError(fmt::format("--input: at most {} inputs", max_inputs));
    return inputs;
}

ModelFileFormat format_of(std::string_view bytes, const std::string& where) {
    constexpr std::string_view zip = "PK\x03\x04", elm = "ELMF";
    constexpr char first_of_onnx = 0x08;  // the field of its version of the format
    if (bytes.substr(0, zip.size()) == zip) return ModelFileFormat::torchscript;
    if (bytes.substr(0, elm.size()) == elm) return ModelFileFormat::native;
    if (!bytes.empty() && bytes.front() == first_of_onnx) return ModelFileFormat::onnx;
    throw ConfigError(fmt::format("'{}' is no model", where),
                      "it begins neither as an ONNX file nor as TorchScript or .elm",
                      "write it with edgeloop-model export, torch.onnx.export or torch.jit.save");
}

const char* name_of(ModelFileFormat format) {
    switch (format) {
        case ModelFileFormat::onnx:
            return "onnx";
        case ModelFileFormat::torchscript:
            return "torchscript";
        case ModelFileFormat::native:
            return "native";
    }
    return "";
}

const char* words_for(ModelFileFormat format) {
    switch (format) {
        case ModelFileFormat::onnx:
            return "an ONNX file";
        case ModelFileFormat::torchscript:
            return "a TorchScript file";
        case ModelFileFormat::native:
            return "an .elm file";
    }
    return "";
}

std::string default_runtime(ModelFileFormat format) { return name_of(format); }

Json ModelJob::to_json() const {
    Json json = model.to_json();
    json["format"] = name_of(format);
    if (has_vectors()) json["vectors"] = vectors.to_json();
    for (const ModelInput& input : inputs)
        json["inputs"].push_back({{"shape", input.shape}, {"type", words_for(input.type)}});
    return {{model_key, json}};
}

std::optional<ModelJob> ModelJob::of(const std::string& spec) {
    // Only such a spec is parsed: the broker asks of each job.
    if (spec.rfind(R"({"model":)", 0) != 0) return std::nullopt;
    const Json whole = parse_json(spec, "job");
    require_known_keys(whole, {model_key}, "job");
    const Json& json = whole.at(model_key);
    require_known_keys(json, {"digest", "bytes", "format", "vectors", "inputs"}, "model");
    try {
        ModelJob job;
        const auto& format = json.at("format").get_ref<const std::string&>();
        const auto* const known =
            std::find_if(model_file_formats.begin(), model_file_formats.end(),
                         [&](ModelFileFormat one) { return format == name_of(one); });
        if (known == model_file_formats.end())
            throw ConfigError(fmt::format("model: no format '{}'", printable(format)));
        job.format = *known;
        job.model =
            FileName::from_json({{"digest", json.at("digest")}, {"bytes", json.at("bytes")}});
        if (json.contains("vectors")) job.vectors = FileName::from_json(json.at("vectors"));
        for (const Json& input : json.value("inputs", Json::array())) {
            require_known_keys(input, {"shape", "type"}, "input");
            job.inputs.push_back({input.at("shape").get<std::vector<std::int64_t>>(),
                                  element_type_of(input.at("type").get<std::string>())});
            check_shape(job.inputs.back().shape);
        }
        if (job.inputs.size() > max_inputs) throw ConfigError("model: too many inputs");
        return job;
    } catch (const Json::exception& error) {
        throw ConfigError("model: malformed", error.what());
    }
}

std::vector<FileName> ModelJob::files() const {
    std::vector<FileName> all{model};
    if (has_vectors() && !(vectors == model)) all.push_back(vectors);
    return all;
}

std::vector<FileName> files_of(const MeasurementJob& job) {
    try {
        const auto model = ModelJob::of(job.spec);
        return model ? model->files() : std::vector<FileName>{};
    } catch (const ConfigError&) {
        return {};
    }
}

ModelJob ModelFiles::describe(std::uint64_t limit, const std::string& inputs,
                              MeasurementSettings& settings) const {
    ModelJob job;
    const std::string bytes = read_file(model, limit);
    job.format = format_of(bytes, model);
    job.model = FileName::of(bytes);
    job.inputs = parse_inputs(inputs);
    const std::string usual = default_runtime(job.format);
    if (settings.runtime == MeasurementSettings{}.runtime) settings.runtime = usual;
    if (settings.runtime != usual &&
        !(job.format == ModelFileFormat::onnx && settings.runtime == "tensorrt"))
        throw ConfigError(
            fmt::format("'{}' does not run on the runtime '{}'", model, settings.runtime),
            fmt::format("it is {}", words_for(job.format)));
    if (!settings.weights.empty())
        throw ConfigError("--weights and --model exclude each other", "a file has its own weights");
    if (vectors.empty()) return job;
    const std::string kept = read_file(vectors, limit);
    const SafeTensors read = decode_safetensors(kept, vectors);
    const auto of = read.metadata.find("model_digest");
    if (of != read.metadata.end() && of->second != job.model.digest.hex())
        throw ConfigError(fmt::format("'{}' has the test vectors of another model", vectors),
                          fmt::format("of {}, and '{}' is {}", printable(of->second), model,
                                      job.model.digest.hex()),
                          "take the vectors that were written with this file");
    job.vectors = FileName::of(kept);
    return job;
}

}  // namespace edgeloop
