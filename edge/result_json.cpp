#include "result_json.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <string>

namespace edgeloop {
namespace {

constexpr std::size_t max_name = 64;

[[noreturn]] void refuse(const std::string& why) {
    throw ConfigError("not a measurement result", why);
}

std::string text_of(const Json& json, const char* key) {
    auto text = json.at(key).get<std::string>();
    if (text.size() > wire::max_text_bytes) refuse(std::string(key) + " is too long");
    return text;
}

double finite(const Json& json, const std::string& name) {
    if (!json.is_number() || !std::isfinite(json.get<double>())) refuse(name + " is no number");
    return json.get<double>();
}

bool is_name(const std::string& text) {
    return !text.empty() && text.size() <= max_name &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) {
               return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
           });
}

/// Which of two words it is.
bool is_first(const Json& json, const char* key, const char* first, const char* second) {
    const auto& word = json.at(key).get_ref<const std::string&>();
    if (word != first && word != second) refuse(std::string(key) + " is neither");
    return word == first;
}

Metrics metrics_of(const Json& json) {
    if (!json.is_object() || json.size() > wire::max_metrics) refuse("too many metrics, or none");
    Metrics metrics;
    for (const auto& [name, value] : json.items()) {
        if (!is_name(name)) refuse("a metric of no name");
        metrics[name] = finite(value, name);
    }
    return metrics;
}

}  // namespace

Json result_to_json(const MeasurementResult& result) {
    return {{"status", result.status == Status::completed ? "completed" : "failed"},
            {"metrics", result.metrics},
            {"reason", beginning(result.reason, wire::max_text_bytes)},
            {"failure_of", result.failure_of == FailureOf::network ? "network" : "device"},
            {"seconds", result.seconds},
            {"device", result.device},
            {"record", result.record.empty() ? Json::object() : parse_kept_json(result.record)}};
}

MeasurementResult result_from_json(const Json& json) {
    require_known_keys(json,
                       {"status", "metrics", "reason", "failure_of", "seconds", "device", "record"},
                       "measurement result");
    try {
        MeasurementResult result;
        const bool completed = is_first(json, "status", "completed", "failed");
        result.status = completed ? Status::completed : Status::failed;
        result.metrics = metrics_of(json.at("metrics"));
        result.reason = text_of(json, "reason");
        if (is_first(json, "failure_of", "network", "device"))
            result.failure_of = FailureOf::network;
        result.seconds = finite(json.at("seconds"), "seconds");
        result.device = text_of(json, "device");
        if (!json.at("record").is_object()) refuse("its record is no object");
        result.record = json.at("record").dump();
        return result;
    } catch (const Json::exception& error) {
        throw ConfigError("not a measurement result", error.what());
    }
}

}  // namespace edgeloop
