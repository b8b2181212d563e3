#include "edgeloop/link/measurement.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Reads json[key] into `value` when the key is there.
template <class T>
void read(const Json& json, const char* key, T& value, const std::string& where) {
    const auto found = json.find(key);
    if (found == json.end()) return;
    try {
        found->get_to(value);
    } catch (const Json::exception&) {
        throw ConfigError(fmt::format("{}: '{}' has the wrong type", where, key));
    }
}

/// The JSON library converts any number to an int, cutting it off or undefined.
int integer_from(const Json& json, const char* key, const std::string& where) {
    const double value =
        json.is_number() ? json.get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(std::abs(value) <= std::numeric_limits<int>::max()) || value != std::floor(value))
        throw ConfigError(fmt::format("{}: '{}' must hold whole numbers", where, key));
    return static_cast<int>(value);
}

void read(const Json& json, const char* key, int& value, const std::string& where) {
    const auto found = json.find(key);
    if (found != json.end()) value = integer_from(*found, key, where);
}

void read(const Json& json, const char* key, std::vector<int>& values, const std::string& where) {
    const auto found = json.find(key);
    if (found == json.end()) return;
    if (!found->is_array()) throw ConfigError(fmt::format("{}: '{}' must be a list", where, key));
    values.clear();
    for (const Json& each : *found) values.push_back(integer_from(each, key, where));
}

void require(bool holds, const char* key, const char* rule, const std::string& where) {
    if (!holds) throw ConfigError(fmt::format("{}: '{}' must be {}", where, key, rule));
}

/// Stays inside the folder it is looked up in.
bool is_file_name(const std::string& text) {
    return text.size() <= 255 && text.rfind('.', 0) != 0 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
           });
}

bool between(double value, double low, double high) {
    return std::isfinite(value) && value >= low && value <= high;
}

}  // namespace

bool is_runtime(const std::string& name) {
    return name == "eager" || name == "torchscript" || name == "onnx" || name == "tensorrt";
}

MeasurementSettings MeasurementSettings::from_json(const Json& json, const std::string& where) {
    require_known_keys(
        json,
        {"batches", "threads", "time_budget_s", "min_samples", "min_seconds", "iqr_ratio",
         "time_limit_s", "memory_limit_mib", "runtime", "processor", "weights", "repeat"},
        where);
    MeasurementSettings settings;
    read(json, "batches", settings.batches, where);
    read(json, "threads", settings.threads, where);
    read(json, "time_budget_s", settings.time_budget_s, where);
    read(json, "min_samples", settings.min_samples, where);
    read(json, "min_seconds", settings.min_seconds, where);
    read(json, "iqr_ratio", settings.iqr_ratio, where);
    read(json, "time_limit_s", settings.time_limit_s, where);
    read(json, "memory_limit_mib", settings.memory_limit_mib, where);
    read(json, "runtime", settings.runtime, where);
    read(json, "processor", settings.processor, where);
    read(json, "weights", settings.weights, where);
    read(json, "repeat", settings.repeat, where);

    require(!settings.batches.empty() && settings.batches.size() <= 16, "batches",
            "1 to 16 batch sizes", where);
    for (const int batch : settings.batches)
        require(between(batch, 1, 4096), "batches", "batch sizes of 1 to 4096", where);
    require(between(settings.threads, 1, 1024), "threads", "1 to 1024", where);
    require(between(settings.time_budget_s, 0.001, 3600), "time_budget_s", "0.001 to 3600", where);
    require(between(settings.min_samples, 1, 1'000'000), "min_samples", "1 to 1000000", where);
    require(between(settings.min_seconds, 0, 3600), "min_seconds", "0 to 3600", where);
    require(between(settings.iqr_ratio, 0, 10), "iqr_ratio", "0 to 10", where);
    require(between(settings.time_limit_s, 0.1, 86400), "time_limit_s", "0.1 to 86400", where);
    require(between(settings.memory_limit_mib, 0, 1e9), "memory_limit_mib", "0 to 1e9", where);
    require(is_runtime(settings.runtime), "runtime", "eager, torchscript, onnx or tensorrt", where);
    require(settings.processor == "cpu" || settings.processor == "cuda", "processor", "cpu or cuda",
            where);
    require(settings.runtime != "tensorrt" || settings.processor == "cuda", "processor",
            "cuda for the runtime tensorrt", where);
    require(is_file_name(settings.weights), "weights", "the name of a file", where);
    require(between(settings.repeat, 0, 1'000'000), "repeat", "0 to 1000000", where);
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

MeasurementJob make_job(const std::string& spec, const MeasurementSettings& settings,
                        const std::string& device_class) {
    Json network = parse_json(spec, "specification");
    if (!network.is_object())
        throw ConfigError("specification: not a JSON object", {}, "see src/model/README.md");
    network.erase("training");
    return {network.dump(), settings.to_json().dump(), device_class};
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
