#include "edgeloop/link/measurement.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/object_reader.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Stays inside the folder it is looked up in.
bool is_file_name(const std::string& text) {
    return text.size() <= 255 && text.rfind('.', 0) != 0 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
           });
}

}  // namespace

bool is_runtime(const std::string& name) {
    return name == "eager" || name == "torchscript" || name == "onnx" || name == "tensorrt";
}

MeasurementSettings MeasurementSettings::from_json(const Json& json, const std::string& where) {
    const ObjectReader reader(
        json, Place(where),
        {"batches", "threads", "time_budget_s", "min_samples", "min_seconds", "iqr_ratio",
         "time_limit_s", "memory_limit_mib", "runtime", "processor", "weights", "repeat"});
    MeasurementSettings settings;
    settings.batches = reader.integers("batches", {1, 16}, {1, 4096}, settings.batches);
    settings.threads = reader.integer("threads", {1, 1024}, settings.threads);
    settings.time_budget_s = reader.number("time_budget_s", {0.001, 3600}, settings.time_budget_s);
    settings.min_samples = reader.integer("min_samples", {1, 1e6}, settings.min_samples);
    settings.min_seconds = reader.number("min_seconds", {0, 3600}, settings.min_seconds);
    settings.iqr_ratio = reader.number("iqr_ratio", {0, 10}, settings.iqr_ratio);
    settings.time_limit_s = reader.number("time_limit_s", {0.1, 86400}, settings.time_limit_s);
    settings.memory_limit_mib = reader.number("memory_limit_mib", {0, 1e9}, 0);
    settings.runtime = reader.text("runtime", settings.runtime);
    settings.processor = reader.choice("processor", {"cpu", "cuda"}, "cpu");
    settings.weights = reader.text("weights", "");
    settings.repeat = reader.integer("repeat", {0, 1e6}, 0);

    const auto require = [&](bool holds, const char* key, const char* rule) {
        if (!holds) throw ConfigError(fmt::format("{}: '{}' must be {}", where, key, rule));
    };
    require(is_runtime(settings.runtime), "runtime", "eager, torchscript, onnx or tensorrt");
    require(settings.runtime != "tensorrt" || settings.processor == "cuda", "processor",
            "cuda for the runtime tensorrt");
    require(is_file_name(settings.weights), "weights", "the name of a file");
    return settings;
}

Json MeasurementSettings::to_json() const {
    Json json = {{"batches", batches},
                 {"threads", threads},
                 {"time_budget_s", time_budget_s},
                 {"min_samples", min_samples},
                 {"iqr_ratio", iqr_ratio},
                 {"time_limit_s", time_limit_s},
                 {"memory_limit_mib", memory_limit_mib},
                 {"runtime", runtime},
                 {"repeat", repeat}};
    // Said only when it matters, so that the identity of a plain job is what it always was.
    if (min_seconds != MeasurementSettings{}.min_seconds) json["min_seconds"] = min_seconds;
    if (processor != "cpu") json["processor"] = processor;
    if (!weights.empty()) json["weights"] = weights;
    return json;
}

bool is_lasting(const MeasurementResult& result) {
    if (result.status == Status::completed) return measured_validly(result.metrics);
    return result.status == Status::failed && result.failure_of == FailureOf::network;
}

MeasurementJob make_job(Json spec, const MeasurementSettings& settings,
                        const std::string& device_class) {
    if (!spec.is_object())
        throw ConfigError("specification: not a JSON object", {}, "see src/model/README.md");
    spec.erase("training");
    return {spec.dump(), settings.to_json().dump(), device_class};
}

std::uint64_t request_id(const MeasurementJob& job) {
    // Lengths first, so that moving a byte from one part to the next changes the text.
    const std::string text =
        fmt::format("{} {} {}\n{}{}{}", job.spec.size(), job.settings.size(),
                    job.device_class.size(), job.spec, job.settings, job.device_class);
    const std::uint64_t id = digest(text).low;
    return id == 0 ? 1 : id;
}

}  // namespace edgeloop
